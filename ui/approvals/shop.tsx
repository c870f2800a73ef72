// The shop after a stop: that it is held, by whom, and asking for its release.
import { useCallback, useEffect, useState } from 'react'
import { sentence } from '../api/problem.ts'
import type { Safety } from '../api/read-approval.ts'
import { Ago } from '../design/age.tsx'
import { Button } from '../design/button.tsx'
import { Note } from '../design/parts.tsx'
import { tell } from '../design/toast.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import { originWords } from '../messages/origin.ts'
import { go } from '../pages/route.ts'
import { approvalPath } from './path.ts'

/** Nothing is said when the shop runs and the policy counts. `round` changes when it may have changed; below 0 it is too early to ask. */
export const Shop = ({ round }: { round: number }) => {
  const { hub, me } = useJarvisContext()
  const [safety, setSafety] = useState<Safety | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [busy, setBusy] = useState(false)
  const read = useCallback(() => {
    let current = true
    hub.safety().then(
      (answer) => current && setSafety(answer),
      () => undefined,
    )
    return () => {
      current = false
    }
  }, [hub])
  useEffect(() => (round < 0 ? undefined : read()), [read, round])

  const ask = async (): Promise<void> => {
    setBusy(true)
    setProblem(undefined)
    try {
      const { approval } = await hub.resume()
      if (approval) go(approvalPath(approval.id))
      else tell('The shop is released.')
      read()
    } catch (error) {
      setProblem(sentence(error))
    } finally {
      setBusy(false)
    }
  }

  return (
    <>
      {safety?.policyWrong !== undefined && (
        <Note tone="warn">The file policy.yaml has an error and does not count: {safety.policyWrong}</Note>
      )}
      {safety?.latched && (
        <Note tone="bad">
          <p>
            <strong>The shop is stopped</strong> by {originWords(safety.latched.by)},{' '}
            <Ago at={safety.latched.at - hub.offset()} />
            {safety.latched.reason !== '' && `: “${safety.latched.reason}”`}. What is dangerous is refused until the
            shop is released.
          </p>
          {me.rights.includes('hazards.approve') && (
            <Button onPress={() => void ask()} isDisabled={busy}>
              Ask for the release
            </Button>
          )}
        </Note>
      )}
      {problem !== undefined && (
        <Note tone="bad" alert>
          {problem}
        </Note>
      )}
    </>
  )
}
