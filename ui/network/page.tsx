// Network: what announces itself around the hub, how sure that is, and what people accept or ignore.
import { useState } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import { sentence } from '../api/problem.ts'
import { Button } from '../design/button.tsx'
import { Empty, Note } from '../design/parts.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import { useNow } from '../live/now.ts'
import { Found } from './found.tsx'
import './network.css'
import type { NetworkFound } from './read.ts'
import { useFound, type FoundView } from './use-found.ts'
import { CHOICE_WORDS, CHOICES, isChosen, NOTHING, type Choice } from './words.ts'

const SWITCH_ON = 'plugins:\n  network: {}'
/** As long as the hub's own search takes. */
const SEARCH_MS = 8000

const Off = () => (
  <div className="panel found-off">
    <h2 className="unseen">Switched off</h2>
    <Empty title="The network is not searched">
      The hub looks around only when it is told to. Write this into <code>millrace.yaml</code> and start the hub again:
    </Empty>
    <pre className="small found-yaml">{SWITCH_ON}</pre>
    <p className="small soft">
      It then lists printers, lamps, plugs and hubs that announce themselves on the private networks of this machine. It
      controls nothing, and fetches nothing from them.
    </p>
  </div>
)

/** How far the search is; only on the screen while one runs. */
const Progress = ({ until }: { until: number }) => {
  const { hub } = useJarvisContext()
  const now = useNow()
  const left = Math.max(0, until - hub.offset() - now)
  const share = Math.min(1, 1 - left / SEARCH_MS)
  return (
    <div className="found-progress">
      <div
        className="progress"
        role="progressbar"
        aria-label="Searching"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
      >
        <span style={{ transform: `scaleX(${share})` }} />
      </div>
    </div>
  )
}

const Head = ({ found, search }: { found: NetworkFound; search: FoundView['search'] }) => {
  const { me } = useJarvisContext()
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const isSearching = found.searchingUntil > 0
  const run = async (): Promise<void> => {
    setBusy(true)
    setProblem(undefined)
    try {
      await search()
    } catch (error) {
      setProblem(sentence(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <div className="panel found-head">
      <div className="found-words" aria-live="polite">
        <p>
          {isSearching ? 'Searching ' : 'Listening on '}
          {found.networks.length === 0 ? 'no network: Health says why' : found.networks.join(', ')}
          {isSearching ? '…' : '.'}
        </p>
        <p className="small soft">
          What announces itself here is listed, never controlled. Accept what you know, ignore what is not yours.
        </p>
        {problem !== undefined && <p className="reason">{problem}</p>}
      </div>
      {me.rights.includes('devices.manage') && (
        <Button icon="replay" onPress={() => void run()} isDisabled={busy || isSearching}>
          {isSearching ? 'Searching…' : 'Search now'}
        </Button>
      )}
      {isSearching && <Progress until={found.searchingUntil} />}
    </div>
  )
}

const List = ({ found, decide }: { found: NetworkFound; decide: FoundView['decide'] }) => {
  const [choice, setChoice] = useState<Choice>('here')
  /** What was decided on this list stays on it, so that it can be undone where it was done. */
  const [kept, setKept] = useState<ReadonlySet<string>>(new Set())
  const choose = (next: Choice): void => {
    setChoice(next)
    setKept(new Set())
  }
  const shown = found.items.filter((one) => isChosen(one, choice) || kept.has(one.id))
  return (
    <>
      <div className="row" role="group" aria-label="Which found things">
        {CHOICES.map((one) => (
          <AriaButton key={one} className="button chip" aria-pressed={choice === one} onPress={() => choose(one)}>
            {CHOICE_WORDS[one]} <span className="soft">{found.items.filter((item) => isChosen(item, one)).length}</span>
          </AriaButton>
        ))}
      </div>
      <div className="panel side-panel">
        <h2 className="unseen">{CHOICE_WORDS[choice]}</h2>
        {shown.length === 0 ? (
          <Empty title={NOTHING[choice].title}>{NOTHING[choice].text}</Empty>
        ) : (
          <ul className="lines">
            {shown.map((item) => (
              <Found
                key={item.id}
                item={item}
                onDecide={async (verb) => {
                  setKept((was) => new Set(was).add(item.id))
                  await decide(item.id, verb)
                }}
              />
            ))}
          </ul>
        )}
      </div>
    </>
  )
}

export const NetworkPage = () => {
  const { found, problem, search, decide } = useFound()
  return (
    <div className="stack found-page">
      {problem !== undefined && (
        <Note tone="bad" alert>
          {problem}
        </Note>
      )}
      {found === 'off' && <Off />}
      {found === undefined && problem === undefined && <div className="panel found-reserve" aria-busy="true" />}
      {found !== undefined && found !== 'off' && (
        <>
          <Head found={found} search={search} />
          <List found={found} decide={decide} />
        </>
      )}
    </div>
  )
}
