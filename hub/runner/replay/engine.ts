// Runs recorded messages through a flow on its own clock, and puts what it says beside what was said then. Knows no process.
import { Buffer } from 'node:buffer'
import { anyMatcher, overlaps } from '../../bus/filters.ts'
import type { Past } from '../../journal/past.ts'
import { hasOrigin, isRetained } from '../../journal/past.ts'
import { decodeEntry, endOf, kindAt, seqAt, stampAt, topicAt } from '../../journal/record.ts'
import { reasonOf } from '../../errors.ts'
import type { Flow } from '../../streams/flow.ts'
import type { TopicTable } from '../../topics/table.ts'
import type { Item, Output } from '../frame.ts'
import { type Definition, FlowHost, type Input } from '../host.ts'
import type { Site } from '../host-calendar.ts'
import { changesOf, compare, type Comparison } from './compare.ts'
import type { Failure, Report } from './report.ts'
import { firstParamsSet, keptAt, type RecordedStart, type RecordedStop, type Story, storyOf } from './story.ts'

export interface ReplayJob {
  /** Id of the flow, as it is in the journal. */
  flow: string
  /** Of the file that runs now. */
  version: string
  /** What it is compared with, in a word: `recorded`, a revision, a file. */
  against: string
  since: number
  until: number
  /** Instead of the recorded ones. */
  params?: Record<string, unknown>
  /** MQTT filters of topics that are not journalled. */
  except: readonly string[]
}

export interface ReplayParts {
  past: Past
  table: TopicTable
  job: ReplayJob
  /** What is compared with: what was recorded, or another version that runs beside. */
  beside: 'recorded' | 'other'
  site?: Site
  /** Where a failure was thrown, as `file.ts:line`. */
  placeOf?(error: unknown): string | undefined
  /** Told of each output of the range. */
  said?(output: Output): void
  /** Real time, ms. */
  elapsed(): number
}

/** How far it is: the part of the way, how many messages of the range were heard, and at which time of the record it is. */
export interface Progress {
  part: number
  messages: number
  at: number
}

const NOW = 0
const THEN = 1
/** Recorded outputs come a little later than what they answer. */
const MARGIN_MS = 10_000
/** In this last stretch of the journal a flow's outputs may not have been written yet. */
const UNSETTLED_MS = 1000
const FIRST_WARM_UP_MS = 10 * 60_000
const LONGEST_WARM_UP_MS = 7 * 86_400_000
/** A warm-up of so many times the longest wait leaves hardly a difference, even behind throttles. */
const WAITS = 10
const WARM_UPS = 4
const ENTRIES_PER_STEP = 4096
const MESSAGES_PER_STEP = 256
/** Larger payloads are for nobody in flows. */
const ITEM_LIMIT = 8 * 2 ** 20
const EDGES_PER_FLOW = 1024
const TOPICS_KNOWN = 10_000

/** Where the flow begins: what it hears after `seq`. */
interface Begin {
  seq: number
  at: number
  params: Readonly<Record<string, unknown>> | undefined
  kept: Readonly<Record<string, unknown>>
}

/** One of the flows that run. */
interface Runs {
  readonly number: number
  readonly flow: Flow
  inputs: Input[]
  kept: Record<string, unknown>
  up: boolean
  failure?: Failure
}

/** Stops that were not the flow's own doing: it would have stopped whatever its code. */
const isFromOutside = ({ reason }: RecordedStop): boolean => reason === 'the hub stops' || reason === 'its file is gone'
const isOwnDoing = (stop: RecordedStop): boolean =>
  !isFromOutside(stop) && stop.reason !== 'replaced' && !stop.reason.includes('warmed up')

/** Make it before the realm is sealed; its time is 'ownTime's. */
export class Replay {
  readonly #parts: ReplayParts
  readonly #host: FlowHost
  readonly #isRecorded: boolean
  #runs: Runs[] = []
  readonly #story: Story
  readonly #end: number
  readonly #why: string[] = []
  readonly #notes = new Set<string>()
  readonly #retained = new Map<string, Item>()
  #comparison: Comparison
  #params: Record<string, unknown> | undefined
  #begun = 0
  #order = 0
  #read = 0
  #messages = 0
  #given = 0
  #at = 0
  /** It was warmed up then: what it says before this was not said. */
  #silentUntil = -Infinity
  #bad = 0
  #skipped = 0
  #item: Item | undefined
  readonly #except: (topic: string) => boolean
  #wanted: (topic: string) => boolean = () => false
  #keeps: (topic: string) => boolean = () => false
  readonly #followed: RecordedStart[] = []
  /** What the flow says is compared, and not merely part of its warm-up. */
  #isCompared = true

  constructor(parts: ReplayParts) {
    const { past, table, job } = parts
    this.#parts = parts
    this.#begun = parts.elapsed()
    this.#story = storyOf(past, job.flow, job.since, job.until)
    this.#end = Math.min(job.until, past.lastAt)
    this.#isRecorded = parts.beside === 'recorded'
    this.#comparison = this.#compared()
    this.#except = job.except.length === 0 ? () => false : anyMatcher(job.except)
    this.#host = new FlowHost(
      table,
      {
        output: (output) => this.#output(output),
        kept: ({ flow, key, value }) => {
          const { kept } = this.#run(flow)
          if (value === undefined) Reflect.deleteProperty(kept, key)
          else kept[key] = value
        },
        setAside: ({ flow, key, constraint }) => {
          if (flow === NOW)
            this.#note(`What it kept as '${key}' does not fit any more (${constraint}): its initial value was used.`)
        },
        failed: (flow, error, cause) => this.#failed(flow, error, cause),
        ended: (flow) => {
          this.#run(flow).up = false
          this.#note(`${flow === NOW ? 'The flow' : 'The other version'} ended: it says nothing more after that.`)
        },
        bad: () => void this.#bad++,
      },
      parts.site,
    )
  }

  /** Does the work, a step at a time. Throws what the flow's function throws when it is defined. */
  *steps(now: Flow, other?: Flow): Generator<Progress, Report> {
    this.#runs = [run(NOW, now), ...(other === undefined ? [] : [run(THEN, other)])]
    const { past, job } = this.#parts
    const [first] = this.#story.starts
    const begin = yield* this.#beginning(first)
    this.#isCompared = true
    this.#begin(begin)
    if (past.segments.length === 0 || job.since > past.lastAt) this.#why.push('nothing was recorded in this range')
    yield* this.#feed(begin, this.#end)
    for (const { number, up } of this.#runs) if (up) this.#host.takeFor(number, tick(this.#end, past.lastSeq))
    for (const { number } of this.#runs) this.#host.stop(number)
    return this.#report()
  }

  /** Where to begin, and why the result is not exact, if it is not. */
  *#beginning(first: RecordedStart | undefined): Generator<Progress, Begin> {
    const { past, job } = this.#parts
    if (first === undefined) {
      this.#why.push('no start of it is recorded up to then: it was started at the beginning of the range')
      const seq = seqBefore(past, job.since)
      return { seq, at: Math.max(job.since, past.firstAt), params: undefined, kept: {} }
    }
    if (first.at > job.since)
      this.#note(`It was first started at ${spoken(first.at)}: nothing before that is compared.`)
    if (first.isApproximate) this.#why.push('its recorded start was itself warmed up from a part of its history')
    const { seq, at } = first.warmed ?? first
    if (first.warmed !== undefined) this.#silentUntil = first.at
    if (seq + 1 >= past.firstSeq) return { seq, at, params: this.#paramsOf(first), kept: first.kept ?? {} }
    return yield* this.#warmedUp(first)
  }

  /** Its start is older than the journal: it is warmed for as long as its longest wait needs. */
  *#warmedUp(first: RecordedStart): Generator<Progress, Begin> {
    const { past, job } = this.#parts
    let span = FIRST_WARM_UP_MS
    for (let tries = 1; ; tries++) {
      const from = Math.max(past.firstAt, job.since - span)
      const seq = from <= past.firstAt ? past.firstSeq - 1 : seqBefore(past, from)
      const begin = {
        seq,
        at: from,
        params: this.#paramsOf(first),
        kept: keptAt(past, job.flow, seq),
      }
      this.#isCompared = false
      this.#begin(begin)
      yield* this.#feed(begin, job.since)
      const longest = Math.max(...this.#runs.map(({ number }) => this.#host.view(number)?.longest ?? 0))
      const enough = Math.min(WAITS * longest, Math.max(longest, LONGEST_WARM_UP_MS))
      const isAll = from <= past.firstAt
      this.#reset()
      if (enough <= span || isAll || tries === WARM_UPS) {
        this.#why.push(
          `its start of ${spoken(first.at)} is older than the journal: it was warmed up from ${spoken(from)}, ${
            enough <= span
              ? 'long enough for its longest wait'
              : isAll
                ? 'which is all there is'
                : 'not long enough for its longest wait'
          }; what it counted before is missing, unless it is kept`,
        )
        return begin
      }
      span = Math.max(enough, 2 * span)
    }
  }

  #reset(): void {
    for (const each of this.#runs) {
      this.#host.stop(each.number)
      each.up = false
      delete each.failure
    }
    this.#retained.clear()
    this.#messages = 0
    this.#bad = 0
    this.#skipped = 0
    this.#followed.length = 0
    this.#comparison = this.#compared()
  }

  /** Defines and starts every flow at `begin`, with what was retained there. */
  #begin(begin: Begin): void {
    const { past } = this.#parts
    for (const each of this.#runs) this.#define(each, begin)
    this.#listen()
    for (const [topic, { seq, at, origin, payload }] of past.retainedAt(begin.seq, this.#keeps))
      this.#retained.set(topic, { seq, at, topic, origin, payload, skip: [] })
    for (const each of this.#runs) {
      each.kept = { ...begin.kept }
      this.#start(each, begin)
    }
  }

  /** The params of a recorded start. Those that nobody set are the file's to say, where the file is another one now. */
  #paramsOf(start: RecordedStart): Readonly<Record<string, unknown>> | undefined {
    const { past, job } = this.#parts
    if (start.params === undefined || (this.#isRecorded && start.version === job.version)) return start.params
    const { starts } = this.#story
    const next = starts[starts.indexOf(start) + 1]
    return firstParamsSet(past, job.flow, (next?.noted.seq ?? past.lastSeq + 1) - 1) === undefined
      ? undefined
      : start.params
  }

  #define(each: Runs, { at, params }: Pick<Begin, 'at' | 'params'>): void {
    const { job } = this.#parts
    const wanted = job.params ?? params ?? {}
    const define = (values: Record<string, unknown>) =>
      this.#host.define(each.number, each.flow, { at, params: values })
    let defined
    try {
      defined = define({ ...wanted })
    } catch (error) {
      if (job.params !== undefined && each.number === NOW) throw error
      // Params of another version: those that it knows and that fit.
      const known = define({}).params?.values ?? {}
      const fitting: Record<string, unknown> = {}
      for (const [name, value] of Object.entries(wanted)) {
        if (!Object.hasOwn(known, name)) continue
        try {
          define({ ...fitting, [name]: value })
          fitting[name] = value
        } catch (refused) {
          this.#note(`The recorded params do not fit (${reasonOf(refused)}): the default was used.`)
        }
      }
      defined = define(fitting)
    }
    each.inputs = defined.inputs
    if (job.params === undefined && Object.keys(wanted).length > 0) this.#compareWithDefaults(define, defined)
    if (each.number === NOW) this.#params = defined.params?.values
  }

  /** Params of then hide what was changed in the file: that is said. */
  #compareWithDefaults(define: (values: Record<string, unknown>) => Definition, defined: Definition): void {
    const used = defined.params?.values ?? {}
    const defaults = define({}).params?.values ?? {}
    define(used)
    const hidden = Object.keys(used).filter((name) => changesOf(defaults[name], used[name]).length > 0)
    if (hidden.length > 0)
      this.#note(
        `It ran with the params of then (${hidden.map((name) => `${name}: ${JSON.stringify(used[name])}, by default ${JSON.stringify(defaults[name])}`).join('; ')}). Give params, or {} for the defaults of the file.`,
      )
  }

  #start(each: Runs, begin: Begin): void {
    each.up = true
    this.#host.start(each.number, {
      at: begin.at,
      since: begin.seq,
      kept: { ...each.kept },
      retained: [...this.#retained.values()].sort((a, b) => a.seq - b.seq),
      name: this.#parts.job.flow,
    })
  }

  /** What has to be read: it may be more after a new start. */
  #listen(): void {
    const inputs = this.#runs.flatMap((each) => each.inputs)
    const latest = inputs.filter((input) => input.latest).map(({ filter }) => filter)
    const keeps = anyMatcher(latest)
    this.#keeps = latest.length === 0 ? () => false : keeps
    this.#wanted = remembering(inputs.length === 0 ? () => false : anyMatcher(inputs.map(({ filter }) => filter)))
    const blind = inputs.filter(({ filter }) => this.#parts.job.except.some((hidden) => overlaps(hidden, filter)))
    for (const { filter } of blind)
      if (!this.#why.some((why) => why.includes(filter)))
        this.#why.push(`${filter}, which it hears, is kept out of the journal by the configuration, wholly or in part`)
  }

  *#feed(begin: Begin, end: number): Generator<Progress> {
    const { past, job } = this.#parts
    const until = end + MARGIN_MS
    const origin = Buffer.from(`flow:${job.flow}`)
    const total = Math.max(1, past.sizeOf({ fromSeq: begin.seq + 1, until }))
    const starts = this.#story.starts.slice(1).values()
    const skips = [...this.#story.skips].sort((a, b) => a.from - b.from)
    let active: Story['skips'][number][] = []
    let nextSkip = 0
    let next = starts.next().value
    let stop = this.#stopBefore(next)
    let done = 0
    let since = 0
    let at = begin.at
    if (this.#story.starts[0] !== undefined) this.#followed.push(this.#story.starts[0])
    for (const { bytes, from: first, to } of past.blocks({ fromSeq: begin.seq + 1, until })) {
      done += to
      for (let e = first; e < to; e = endOf(bytes, e)) {
        this.#read++
        since++
        const seq = seqAt(bytes, e)
        if (seq <= begin.seq) continue
        at = Math.max(at, stampAt(bytes, e))
        if (at > until) break
        while (next !== undefined && seq > next.seq) {
          if (next.at > end) break
          this.#again(next, stop)
          next = starts.next().value
          stop = this.#stopBefore(next)
        }
        if (stop !== undefined && seq > stop.seq) {
          this.#halt(stop.at)
          stop = undefined
        }
        const kind = kindAt(bytes, e)
        if (kind === 'note') {
          if (topicAt(bytes, e) === '!hub-start') this.#forgetPlaces()
          continue
        }
        if (kind !== 'message') continue
        if (this.#isCompared && this.#isRecorded && at >= job.since - MARGIN_MS && hasOrigin(bytes, e, origin))
          this.#recorded(bytes, e)
        if (at > end) continue
        const topic = topicAt(bytes, e)
        if (!this.#wanted(topic)) continue
        const entry = decodeEntry(bytes, e)
        if (entry === undefined || entry.payload.length > ITEM_LIMIT) continue
        while (nextSkip < skips.length && (skips[nextSkip]?.from ?? Infinity) <= seq) {
          const skip = skips[nextSkip++]
          if (skip !== undefined) active.push(skip)
        }
        if (active.length > 0) active = active.filter((skip) => skip.to >= seq)
        this.#give(
          { seq, at, topic, origin: entry.origin, payload: entry.payload, skip: [] },
          active,
          isRetained(bytes, e),
        )
      }
      if (since >= ENTRIES_PER_STEP || this.#given >= MESSAGES_PER_STEP) {
        since = 0
        this.#given = 0
        this.#comparison.pass(at)
        yield { part: Math.min(1, done / total), messages: this.#messages, at }
      }
    }
    for (; next !== undefined && next.at <= end; next = starts.next().value) {
      this.#again(next, stop)
      stop = undefined
    }
  }

  /** A stop from outside is followed when the flow was started again after it. */
  #stopBefore(next: RecordedStart | undefined): RecordedStop | undefined {
    if (next === undefined) return undefined
    const before = this.#story.stops.findLast(({ seq }) => seq < next.noted.seq)
    return before !== undefined && isFromOutside(before) ? before : undefined
  }

  #give(item: Item, skips: Story['skips'], isKept: boolean): void {
    this.#item = item
    this.#at = item.at
    this.#given++
    if (item.at >= this.#parts.job.since) this.#messages++
    for (const { number, inputs, up } of this.#runs) {
      if (!up) continue
      const skip = skips.length === 0 ? NOBODY : edgesOf(number, inputs, item, skips)
      if (skip.length > 0 && number === NOW) this.#skipped++
      this.#host.takeFor(number, skip.length === 0 ? item : { ...item, skip })
    }
    this.#item = undefined
    if (!isKept || !this.#keeps(item.topic)) return
    this.#retained.delete(item.topic)
    if (item.payload.length > 0) this.#retained.set(item.topic, { ...item, payload: Buffer.from(item.payload) })
  }

  #recorded(bytes: Buffer, at: number): void {
    const entry = decodeEntry(bytes, at)
    if (entry === undefined) return
    const { seq, cause, topic, payload } = entry
    this.#comparison.saidThen({
      at: entry.at,
      cause,
      topic,
      payload: Buffer.from(payload),
      order: ++this.#order,
      seq,
      isTimed: false,
    })
  }

  #output(output: Output): void {
    if (!this.#isCompared || output.at < Math.max(this.#silentUntil, this.#parts.job.since - MARGIN_MS)) return
    const { flow, at, cause, topic, payload } = output
    const said = {
      at,
      cause,
      topic,
      payload: Buffer.from(payload),
      order: ++this.#order,
      isTimed: this.#item === undefined || this.#item.at !== at || this.#item.seq !== cause,
    }
    if (flow === THEN) return this.#comparison.saidThen(said)
    if (at >= this.#parts.job.since && at <= this.#end) this.#parts.said?.(output)
    if (this.#isRecorded && this.#isUnrecorded(topic)) {
      this.#note(`What it says on ${topic} is kept out of the journal by the configuration: it was not compared.`)
      return
    }
    this.#comparison.saidNow(said)
  }

  #isUnrecorded(topic: string): boolean {
    return this.#except(topic)
  }

  /** The flow was started again then, and is now: with what it kept and with the params of then. */
  #again(start: RecordedStart, stop: RecordedStop | undefined): void {
    if (start.warmed !== undefined && stop === undefined) {
      this.#why.push(`from ${spoken(start.at)} on it ran with a part of its memory; now it has all of it`)
      return
    }
    this.#halt(stop?.at ?? start.at)
    this.#followed.push(start)
    const { seq, at } = start
    const begin = { seq, at, params: this.#paramsOf(start), kept: {} }
    for (const each of this.#runs) this.#define(each, begin)
    this.#listen()
    this.#comparison.anew()
    for (const each of this.#runs) this.#start(each, begin)
  }

  /** Time goes on to `at`, then nothing runs. */
  #halt(at: number): void {
    for (const each of this.#runs) {
      if (!each.up) continue
      this.#host.takeFor(each.number, tick(at, -1))
      this.#host.stop(each.number)
      each.up = false
    }
  }

  #forgetPlaces(): void {
    for (const [topic, item] of this.#retained) this.#retained.set(topic, { ...item, seq: 0, at: 0 })
  }

  #failed(flow: number, error: unknown, cause: number): void {
    const each = this.#run(flow)
    each.up = false
    const place = this.#parts.placeOf?.(error)
    each.failure ??= {
      message: reasonOf(error).slice(0, 1000),
      ...(place === undefined ? {} : { place }),
      at: iso(this.#at),
      cause,
    }
  }

  #run(number: number): Runs {
    const found = this.#runs[number]
    if (found === undefined) throw new Error(`no flow ${number}`)
    return found
  }

  #note(sentence: string): void {
    if (this.#notes.size < 20) this.#notes.add(sentence)
  }

  #compared(): Comparison {
    const { past, job } = this.#parts
    return compare({
      since: job.since,
      until: this.#end,
      isRecorded: this.#isRecorded,
      cameBack: (from, to) => this.#story.returns.some((at) => at > from && at <= to),
      settledUntil: job.until < past.lastAt ? Infinity : past.lastAt - UNSETTLED_MS,
    })
  }

  #report(): Report {
    const { past, job, elapsed } = this.#parts
    const compared = this.#comparison.end()
    const failure = this.#run(NOW).failure
    const failureThen = this.#runs[THEN]?.failure ?? this.#failureRecorded()
    if (this.#bad > 0) this.#note(`${this.#bad} messages did not fit their topic: no flow got them.`)
    if (this.#skipped > 0)
      this.#note(`${this.#skipped} messages were dropped then because its edge was full: they were dropped now.`)
    for (const sentence of past.damage) this.#why.push(sentence)
    const differs = compared.changed + compared.onlyThen + compared.onlyNow + compared.unanswered > 0
    const sameFailure = failure?.message === failureThen?.message
    return {
      flow: job.flow,
      version: job.version,
      against: job.against,
      since: iso(job.since),
      until: iso(Math.max(job.since, this.#end)),
      exact: this.#why.length === 0,
      ...(this.#why.length === 0 ? {} : { why: this.#why.join('; ') }),
      messages: this.#messages,
      read: this.#read,
      tookMs: Math.round(elapsed() - this.#begun),
      ...compared,
      firstDifference:
        compared.firstDifference === undefined
          ? undefined
          : { at: iso(compared.firstDifference.at), cause: compared.firstDifference.cause },
      rows: compared.rows.map((row) => ({ ...row, at: iso(row.at) })),
      isSame: !differs && sameFailure,
      starts: this.#followed.map(({ at, seq, version }) => ({ at: iso(at), seq, version })),
      ...(this.#params === undefined ? {} : { params: this.#params }),
      ...(failure === undefined ? {} : { failure }),
      ...(failureThen === undefined ? {} : { failureThen }),
      notes: [...this.#notes],
    }
  }

  /** A stop in the range that was the flow's own doing. */
  #failureRecorded(): Failure | undefined {
    const { since } = this.#parts.job
    const own = this.#story.stops.find((stop) => stop.at >= since && stop.at <= this.#end && isOwnDoing(stop))
    return own === undefined ? undefined : { message: own.reason, at: iso(own.at), cause: 0 }
  }
}

const NOBODY: readonly number[] = []
const NOTHING = Buffer.alloc(0)

const run = (number: number, flow: Flow): Runs => ({ number, flow, inputs: [], kept: {}, up: false })

const tick = (at: number, seq: number): Item => ({ seq, at, topic: '', origin: '', payload: NOTHING, skip: NOBODY })

const iso = (at: number): string => new Date(at).toISOString()

/** For sentences: day and time to the second. */
const spoken = (at: number): string => `${iso(at).slice(0, 19).replace('T', ' ')} UTC`

/** The edges that did not get this message then. */
const edgesOf = (number: number, inputs: readonly Input[], item: Item, skips: Story['skips']): number[] =>
  inputs.flatMap(({ edge, topic }) =>
    skips.some(
      (skip) =>
        skip.topic === topic &&
        skip.from <= item.seq &&
        skip.to >= item.seq &&
        (skip.edge === undefined || number * EDGES_PER_FLOW + (skip.edge % EDGES_PER_FLOW) === edge),
    )
      ? [edge]
      : [],
  )

/** Which place is the last before a time. */
const seqBefore = (past: Past, at: number): number => {
  for (const { bytes, from, to } of past.blocks({ since: at }))
    for (let e = from; e < to; e = endOf(bytes, e)) if (stampAt(bytes, e) >= at) return seqAt(bytes, e) - 1
  return past.lastSeq
}

const remembering = (fits: (topic: string) => boolean): ((topic: string) => boolean) => {
  const known = new Map<string, boolean>()
  return (topic) => {
    const before = known.get(topic)
    if (before !== undefined) return before
    if (known.size >= TOPICS_KNOWN) known.clear()
    const is = fits(topic)
    known.set(topic, is)
    return is
  }
}
