// Claiming a new hub: the first administrator, and whether the network may reach it.
import { useState } from 'react'
import { hubApi } from '../api/client.ts'
import { Problem, sentence } from '../api/problem.ts'
import type { Session } from '../api/session.ts'
import { Button } from '../design/button.tsx'
import { Check, TextField } from '../design/field.tsx'
import { Note } from '../design/parts.tsx'
import { Door } from './door.tsx'
import { signIn } from './login.tsx'

/** The shortest password the form lets through; the hub has the last word. */
const PASSWORD_AT_LEAST = 8

/** The code of a claim link, `/claim?code=…` or `/claim#…`. */
export const codeIn = (search: string, hash: string): string =>
  new URLSearchParams(search).get('code') ?? new URLSearchParams(hash.slice(1)).get('code') ?? hash.slice(1)

type Mistakes = Partial<Record<'code' | 'username' | 'password' | 'again', string>>

interface Props {
  /** The thirty minutes after a start in which a hub can be claimed. */
  isOpen: boolean
  onSession: (session: Session) => void
}

export const Claim = ({ isOpen, onSession }: Props) => {
  const [code, setCode] = useState(() => codeIn(location.search, location.hash))
  const [username, setUsername] = useState('')
  const [password, setPassword] = useState('')
  const [again, setAgain] = useState('')
  const [toNetwork, setToNetwork] = useState(false)
  const [busy, setBusy] = useState(false)
  const [isClaimed, setClaimed] = useState(false)
  const [mistakes, setMistakes] = useState<Mistakes>({})
  const [problem, setProblem] = useState<string | undefined>(undefined)

  const found = (): Mistakes => ({
    ...(code.trim() === '' ? { code: 'Write the code the hub printed when it started.' } : {}),
    ...(username.trim() === '' ? { username: 'Choose a name.' } : {}),
    ...(password.length < PASSWORD_AT_LEAST ? { password: `At least ${PASSWORD_AT_LEAST} characters.` } : {}),
    ...(again === password ? {} : { again: 'The two are not the same.' }),
  })

  const submit = async (): Promise<void> => {
    const wrong = found()
    setMistakes(wrong)
    setProblem(undefined)
    if (Object.keys(wrong).length > 0) return
    setBusy(true)
    const hub = hubApi({ token: () => undefined, expired: () => undefined })
    const name = username.trim()
    try {
      await hub.claimWith({ code: code.trim(), username: name, password, openToNetwork: toNetwork })
    } catch (error) {
      const field = error instanceof Problem ? error.details.field : undefined
      if (field === 'code' || field === 'username' || field === 'password') setMistakes({ [field]: sentence(error) })
      else setProblem(sentence(error))
      setBusy(false)
      return
    }
    try {
      onSession(await signIn(name, password))
    } catch {
      // The page was open on the network for the claim alone, or the hub is opening its doors to the network now.
      setClaimed(true)
    }
  }

  if (isClaimed)
    return (
      <Door title="The hub is yours">
        <p>
          {toNetwork
            ? 'It is opening to this network now. Give it a few seconds, then sign in.'
            : 'It answers only on its own computer, as you chose: open the app there and sign in.'}
        </p>
        <Button look="primary" onPress={() => location.assign('/')}>
          Sign in
        </Button>
      </Door>
    )

  if (!isOpen)
    return (
      <Door title="Claim this hub">
        <Note tone="warn">
          This hub has no administrator yet, and the time to claim it is over. Start it again: it prints a new code,
          good for thirty minutes.
        </Note>
        <Button onPress={() => location.reload()}>Look again</Button>
      </Door>
    )

  return (
    <Door title="Claim this hub">
      <p className="soft">It has no administrator yet. Whoever has the code from its start becomes the first one.</p>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void submit()
        }}
      >
        <TextField
          label="Code"
          value={code}
          onChange={setCode}
          mistake={mistakes.code}
          hint="Printed in the terminal where the hub was started."
          isRequired
          isFocused={code === ''}
        />
        <TextField
          label="User name"
          value={username}
          onChange={setUsername}
          mistake={mistakes.username}
          autoComplete="username"
          isRequired
          isFocused={code !== ''}
        />
        <TextField
          label="Password"
          type="password"
          value={password}
          onChange={setPassword}
          mistake={mistakes.password}
          hint={`At least ${PASSWORD_AT_LEAST} characters.`}
          autoComplete="new-password"
          isRequired
        />
        <TextField
          label="Password again"
          type="password"
          value={again}
          onChange={setAgain}
          mistake={mistakes.again}
          autoComplete="new-password"
          isRequired
        />
        <Check isSelected={toNetwork} onChange={setToNetwork}>
          Open the hub to this network
          <span className="hint block">
            Devices and phones can then reach its broker, API and app. Otherwise only this computer can. You can change
            it later.
          </span>
        </Check>
        {problem !== undefined && (
          <Note tone="bad" alert>
            {problem}
          </Note>
        )}
        <Button type="submit" look="primary" isDisabled={busy}>
          {busy ? 'Claiming…' : 'Claim'}
        </Button>
      </form>
    </Door>
  )
}
