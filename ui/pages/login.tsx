// Signing in, with a password or with a key; and back to where one was.
import { useEffect, useRef, useState } from 'react'
import { hubApi } from '../api/client.ts'
import { sentence } from '../api/problem.ts'
import type { Session } from '../api/session.ts'
import { arrive, broughtBack, isBroughtBack, type Issuer, issuers, leaveFor } from '../api/sign-in.ts'
import { Button } from '../design/button.tsx'
import { Check, TextField } from '../design/field.tsx'
import { Note } from '../design/parts.tsx'
import { Door } from './door.tsx'

interface Props {
  /** Why somebody is asked, when it is not the first time. */
  notice: string | undefined
  onSession: (session: Session, stay: boolean) => void
}

/** A session from a name and a password. */
export const signIn = async (username: string, password: string): Promise<Session> => {
  const hub = hubApi({ token: () => undefined, expired: () => undefined })
  const { token, expiresIn } = await hub.login(username, password)
  return { token, username, expiresAt: expiresIn > 0 ? Date.now() + expiresIn * 1000 : 0 }
}

const withKey = async (key: string): Promise<Session> => {
  const hub = hubApi({ token: () => key, expired: () => undefined })
  const { id } = await hub.me()
  return { token: key, username: id, expiresAt: 0 }
}

export const Login = ({ notice, onSession }: Props) => {
  const [byKey, setByKey] = useState(false)
  const [username, setUsername] = useState('')
  const [secret, setSecret] = useState('')
  const [stay, setStay] = useState(false)
  const [busy, setBusy] = useState(isBroughtBack)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [elsewhere, setElsewhere] = useState<readonly Issuer[]>([])
  const came = useRef(false)

  useEffect(() => {
    // Once: what was brought back is good for one try.
    if (came.current) return
    came.current = true
    issuers().then(setElsewhere, () => undefined)
    const brought = broughtBack()
    if (brought === undefined) return
    arrive(brought).then(
      (session) => onSession(session, brought.stay),
      (error: unknown) => {
        setProblem(sentence(error))
        setBusy(false)
      },
    )
  }, [onSession])

  const submit = async (): Promise<void> => {
    if (secret === '' || (!byKey && username.trim() === '')) {
      setProblem(byKey ? 'Paste the key first.' : 'Fill in user name and password.')
      return
    }
    setBusy(true)
    setProblem(undefined)
    try {
      const session = byKey ? await withKey(secret.trim()) : await signIn(username.trim(), secret)
      onSession(session, stay)
    } catch (error) {
      setProblem(sentence(error))
      setBusy(false)
    }
  }

  return (
    <Door title="Sign in">
      {notice !== undefined && <Note tone="idle">{notice}</Note>}
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void submit()
        }}
      >
        {byKey ? (
          <TextField
            key="key"
            label="Access key"
            type="password"
            value={secret}
            onChange={setSecret}
            hint="For a wall terminal: a key with the rights it needs and no more."
            isRequired
            isFocused
          />
        ) : (
          <>
            <TextField
              key="name"
              label="User name"
              value={username}
              onChange={setUsername}
              autoComplete="username"
              isRequired
              isFocused
            />
            <TextField
              key="password"
              label="Password"
              type="password"
              value={secret}
              onChange={setSecret}
              autoComplete="current-password"
              isRequired
            />
          </>
        )}
        <Check isSelected={stay} onChange={setStay}>
          Stay signed in on this device
        </Check>
        {problem !== undefined && (
          <Note tone="bad" alert>
            {problem}
          </Note>
        )}
        <Button type="submit" look="primary" isDisabled={busy}>
          {busy ? 'Signing in…' : 'Sign in'}
        </Button>
        {elsewhere.map(({ id, title }) => (
          <Button key={id} isDisabled={busy} onPress={() => leaveFor(id, stay)}>
            Sign in with {title}
          </Button>
        ))}
        <Button
          look="quiet"
          onPress={() => {
            setByKey(!byKey)
            setSecret('')
            setProblem(undefined)
          }}
        >
          {byKey ? 'Use a password' : 'Use an access key'}
        </Button>
      </form>
    </Door>
  )
}
