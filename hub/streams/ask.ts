// Asking for something and hearing what became of it.
import {
  defer,
  filter,
  finalize,
  from as each,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  type OperatorFunction,
  race,
  share,
  take,
  timer,
} from 'rxjs'
import type { From } from './flow.ts'
import { type DeviceName, type Message, message, type Payload, type PayloadTo } from './message.ts'
import { turnNow } from './realm.ts'

/** What became of a request: the gate's one result, or `timeout` when the flow's own wait was over first. */
export type Answer = Payload<'devices/{device}/result'>

/** A wish of a flow: its id and its end come from `ask`. */
export type Wish<D extends DeviceName = DeviceName> = Omit<
  PayloadTo<'devices/{device}/request', D>,
  'id' | 'expiresAt' | 'issuedAt' | 'requestedBy'
>

/** What to do with the answer: messages, or none. */
export interface Asking<M> {
  /** ms, from the asking to the result. The request expires with it: a late yes does nothing. */
  within: number
  then: (answer: Answer, trigger: M) => Message | readonly Message[]
}

/** So many questions of one `ask` may be open; one more is refused at once. */
const MOST_OPEN = 100

/**
 * For each message asks a device for something, and goes on with its one result. It listens before it asks. Ids are made of
 * the flow, its recorded start and a count: a replay asks with the same ids and hears the same answers. `device` and `request`
 * may be functions of the message; a fixed device lets only its own results into the flow.
 */
export const ask = <M, const D extends DeviceName = DeviceName>(
  from: From,
  device: D | ((trigger: M) => D),
  request: Wish<NoInfer<D>> | ((trigger: M) => Wish<NoInfer<D>>),
  { within, then }: Asking<M>,
): OperatorFunction<M, Message> => {
  const results = from('devices/{device}/result', typeof device === 'string' ? { where: { device } } : {}).pipe(share())
  let open = 0
  const once = (trigger: M): Observable<Message> => {
    const { clock, nextId } = turnNow('ask')
    const id = nextId()
    const wish = typeof request === 'function' ? request(trigger) : request
    const to = typeof device === 'function' ? device(trigger) : device
    const own = (status: Answer['status'], reason: string): Answer => ({ id, status, intent: wish.intent, reason })
    if (open >= MOST_OPEN) return each(listOf(then(own('refused', `more than ${MOST_OPEN} open questions`), trigger)))
    open++
    const answer = race(
      results.pipe(
        filter(({ payload }) => payload.id === id),
        map(({ payload }) => payload),
      ),
      timer(within).pipe(map(() => own('timeout', `no answer within ${within} ms`))),
    ).pipe(
      take(1),
      finalize(() => open--),
      mergeMap((said) => listOf(then(said, trigger))),
    )
    const expiresAt = new Date(clock.now + within).toISOString()
    return merge(answer, of(message('devices/{device}/request', { device: to }, { ...wish, id, expiresAt })))
  }
  return mergeMap((trigger: M) => defer(() => once(trigger)))
}

/**
 * The same, going on only when the wish was allowed and done. For an intent that needs a person's yes the gate asks people and
 * holds the command back: no, silence, expiry and failure all lead to nothing.
 */
export const ifApproved = <M, const D extends DeviceName = DeviceName>(
  from: From,
  device: D | ((trigger: M) => D),
  request: Wish<NoInfer<D>> | ((trigger: M) => Wish<NoInfer<D>>),
  { within, then }: Asking<M>,
): OperatorFunction<M, Message> =>
  ask(from, device, request, {
    within,
    then: (answer, trigger) => (answer.status === 'done' ? then(answer, trigger) : []),
  })

const listOf = (messages: Message | readonly Message[]): readonly Message[] =>
  'topic' in messages ? [messages] : messages
