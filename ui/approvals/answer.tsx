// The answer of a person: a yes that is held, a phrase where one is wanted, a no, or taking it back.
import { useState } from 'react'
import { sentence } from '../api/problem.ts'
import type { ApprovalItem, Decision } from '../api/read-approval.ts'
import { Button, HoldButton } from '../design/button.tsx'
import { TextField } from '../design/field.tsx'
import { Icon } from '../design/icon.tsx'
import { Note } from '../design/parts.tsx'
import { tell } from '../design/toast.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import { statusWords } from '../live/request.ts'
import { useOutside } from './use-remote.ts'
import { askedWords, isPhrase, neededWords, ownOrigin, phraseOf, rolesOf, who, type Part } from './words.ts'

interface Props {
  approval: ApprovalItem
  name: string
  part: Part
}

/** Said up front, so that nobody tries in vain. */
const standing = (approval: ApprovalItem, part: Part): string | undefined => {
  if (part === 'said') return 'Your yes counts once: somebody else has to say the next one.'
  if (part === 'asker') return `You asked for this yourself, so you cannot say yes to it: ${who(approval)} has to.`
  if (part === 'role') return `Only these roles may answer: ${rolesOf(approval).join(', ')}. Ask ${who(approval)}.`
  if (part === 'reader') return `Your role may look, but not approve. Ask ${who(approval)}.`
  return undefined
}

/** How the hub took an answer, in a sentence. */
const outcome = (
  approval: ApprovalItem,
  name: string,
  own: string,
  status: string | undefined,
  reason: string,
): string => {
  const asked = askedWords(approval, name)
  if (approval.status === 'pending') return `${asked}. ${neededWords(approval, own)}`
  if (approval.status !== 'approved') return `${asked}: ${approval.status}.`
  const done = status === undefined ? '' : ` ${statusWords(status)}.`
  return `${asked}: approved.${done}${reason === '' ? '' : ` ${reason}`}`
}

/** The buttons, for whoever may press them. Each refusal of the hub is shown in its words. */
export const Answer = ({ approval, name, part }: Props) => {
  const { hub, me } = useJarvisContext()
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const phrase = phraseOf(approval)
  const mayAnswer = part === 'may' || part === 'said'
  const isOwn = approval.requestedBy === ownOrigin(me)
  const outside = useOutside()
  const mayYes = part === 'may' && outside === undefined
  const note =
    part === 'may' && outside !== undefined
      ? `A yes from where you are does not count: ${outside}. Denying and cancelling work from anywhere.`
      : standing(approval, part)
  const isReady = phrase === undefined || isPhrase(typed, phrase)

  if (part === 'ended') return null

  const run = async (work: () => Promise<string>): Promise<void> => {
    setBusy(true)
    setProblem(undefined)
    try {
      tell(await work())
    } catch (error) {
      setProblem(sentence(error))
    } finally {
      setBusy(false)
    }
  }
  const decide = (decision: Decision): void =>
    void run(async () => {
      const { id, digest } = approval
      const said = decision === 'approve' && phrase !== undefined ? { phrase: typed } : {}
      const answer = await hub.answer({ id, decision, digest, ...said })
      return outcome(answer.approval ?? approval, name, ownOrigin(me), answer.status, answer.reason ?? '')
    })
  const takeBack = (): void =>
    void run(async () => {
      await hub.takeBack(approval.id)
      return `${askedWords(approval, name)}: taken back.`
    })

  return (
    <div className="answer">
      {note !== undefined && <Note tone="idle">{note}</Note>}
      {problem !== undefined && (
        <Note tone="bad" alert>
          {problem}
        </Note>
      )}
      {mayYes && phrase !== undefined && (
        <TextField
          label={`To say yes first, type “${phrase}”`}
          value={typed}
          onChange={setTyped}
          hint={isReady ? 'Right. Now hold the button.' : 'Letters may be small or capital.'}
        />
      )}
      {mayYes && (
        <HoldButton
          className="approve"
          question={`Approve “${askedWords(approval, name)}”?`}
          label={`Hold to approve: ${askedWords(approval, name)}`}
          isDisabled={busy || !isReady}
          onHeld={() => decide('approve')}
        >
          <Icon name="check" />
          <span>Hold to approve</span>
        </HoldButton>
      )}
      <div className="answer-no">
        {mayAnswer && (
          <Button onPress={() => decide('deny')} isDisabled={busy} label={`Deny: ${askedWords(approval, name)}`}>
            Deny
          </Button>
        )}
        {isOwn ? (
          <Button onPress={takeBack} isDisabled={busy} label={`Take back: ${askedWords(approval, name)}`}>
            Take back
          </Button>
        ) : (
          mayAnswer && (
            <Button onPress={() => decide('cancel')} isDisabled={busy} label={`Cancel: ${askedWords(approval, name)}`}>
              Cancel
            </Button>
          )
        )}
      </div>
    </div>
  )
}
