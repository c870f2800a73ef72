// The book of open approvals: each asked once, answered by people one after the other, ended exactly once, and kept over a restart.
import type { Verdict } from '../../broker/broker.ts'
import { originOf, type Principal } from '../../bus/principal.ts'
import { iso } from '../../clock.ts'
import { Forbidden, Missing, Recoverable } from '../../errors.ts'
import type { Health } from '../../health/report.ts'
import { within } from '../bounds.ts'
import { openBuckets } from '../buckets.ts'
import { type ApprovalView, type OpenApproval, opened, type Question } from './approval.ts'
import { type Listed, listed, openRecords, type RecordsParts } from './records.ts'
import { openVoice, type VoiceParts } from './voice.ts'

export const DECISIONS = ['approve', 'deny', 'cancel'] as const
export interface Decision {
  id: string
  decision: (typeof DECISIONS)[number]
  phrase?: string | undefined
  digest: string
}

/** Words that end it, whoever says them among those who may decide. */
export const CANCEL_WORDS: readonly string[] = [
  'cancel',
  'abort',
  'no',
  'stop',
  'nein',
  'abbrechen',
  'abbruch',
  'stopp',
  'halt',
]

const MOST_OPEN = 200
const MOST_OF_ONE = 10
const ANSWER_BURST = 20
const ANSWERS_PER_SECOND = 2

type Ended = Exclude<ApprovalView['status'], 'pending'>

export interface BookParts extends RecordsParts, VoiceParts {
  health: Health
  mayApprove: (who: Principal) => Verdict
  /** Why a yes from where somebody is does not count. */
  away: (who: Principal) => string | undefined
  /** An audit row. With `same`, equal ones within a minute are counted. */
  note: (
    event: string,
    view: Pick<ApprovalView, 'id' | 'commandId' | 'device' | 'intent'>,
    who: string,
    detail: Record<string, unknown>,
    same?: string,
  ) => void
  /** Told once of each approval that ends, in the same turn. What it resolves to is told to whoever said the last yes. */
  ended: (
    approval: OpenApproval,
    status: Ended,
    why: string,
    by: string,
  ) => Promise<Record<string, unknown>> | undefined
}

/** Same letters, whatever their case; spaces around do not count. */
export const folded = (text: string): string => text.trim().normalize('NFC').toLowerCase()

export const openBook = (parts: BookParts) => {
  const { clock, health, wait, recordMs, note } = parts
  const open = new Map<string, OpenApproval>()
  const records = openRecords(parts)
  const { publish, clear, announce, tidy } = openVoice(parts)
  const mayAnswer = openBuckets(clock, ANSWER_BURST, ANSWERS_PER_SECOND)
  let over = false

  /** Ends it, at once and for good; what is written and published follows. Undefined when it had ended before. */
  const end = (
    approval: OpenApproval,
    status: Ended,
    why: string,
    by: string,
  ): Promise<Record<string, unknown>> | undefined => {
    if (approval.ended !== undefined || over) return undefined
    approval.ended = status
    approval.calm()
    open.delete(approval.view.id)
    approval.view = { ...approval.view, status }
    note(`approval.${status}`, approval.view, by, {
      approval: approval.view.id,
      why,
      given: approval.view.given,
      digest: approval.view.digest,
      policy: approval.asked.policy,
    })
    health.metrics.count('gate_approvals_total', 'Approvals that ended', { status })
    const told = parts.ended(approval, status, why, by)
    // Behind an answer that is being written just now, so that this one stands in the table.
    approval.turn = approval.turn.then(() => records.end(approval.view, why, by)).catch(() => {})
    publish(approval)
    clear(approval.view.id)
    announce(`approval.${status}`, approval, by, { why })
    return told
  }

  const arm = (approval: OpenApproval): void => {
    approval.calm()
    const at = Date.parse(approval.view.expiresAt)
    approval.calm = wait(Math.max(0, at - clock.now()), () => {
      if (clock.now() < at) arm(approval)
      else expire(approval)
    })
  }
  const expire = (approval: OpenApproval): void =>
    void end(
      approval,
      'expired',
      `nobody, or too few, said yes until ${approval.view.expiresAt}; silence is a no`,
      'gate',
    )

  const take = (approval: OpenApproval): void => {
    open.set(approval.view.id, approval)
    arm(approval)
  }

  /** Asks. Resolves to why it cannot, when there is no room or no record. */
  const ask = async (
    question: Question,
  ): Promise<{ ok: true; view: ApprovalView } | { ok: false; http: 409 | 503; why: string }> => {
    const { request } = question
    const same = [...open.values()].find(
      ({ view, about }) =>
        about === question.about &&
        view.device === request.device &&
        view.intent === request.intent &&
        view.requestedBy === request.requestedBy &&
        JSON.stringify(view.payload) === JSON.stringify(request.payload),
    )
    if (same !== undefined)
      return {
        ok: false,
        http: 409,
        why: `You asked for exactly this already; approval ${same.view.id} is open until ${same.view.expiresAt}.`,
      }
    const own = [...open.values()].filter(({ view }) => view.requestedBy === request.requestedBy).length
    if (open.size >= MOST_OPEN || own >= MOST_OF_ONE)
      return {
        ok: false,
        http: 409,
        why: `Too many approvals are open (${own} of yours, ${open.size} in all). Have them answered or cancelled first.`,
      }
    const approval = opened(question, clock.now())
    // Counted from here on, so that many at once do not pass the bound together.
    open.set(approval.view.id, approval)
    const recorded = await records.add(approval)
    if (approval.ended !== undefined || over)
      return { ok: false, http: 409, why: 'The question was withdrawn while it was asked.' }
    if (!recorded) {
      open.delete(approval.view.id)
      return {
        ok: false,
        http: 503,
        why: 'The approval could not be recorded, so nobody is asked. See the health page; ask again when the database answers.',
      }
    }
    arm(approval)
    note('approval.asked', approval.view, request.requestedBy, {
      approval: approval.view.id,
      hazard: approval.view.hazard,
      needed: approval.view.needed,
      digest: approval.view.digest,
      expiresAt: approval.view.expiresAt,
      policy: question.policy,
      evidence: question.evidence,
    })
    publish(approval)
    announce('approval.asked', approval, request.requestedBy)
    return { ok: true, view: approval.view }
  }

  const refuse = (approval: Pick<OpenApproval, 'view'>, who: string, why: string, error: Recoverable): never => {
    note('approval.refused', approval.view, who, { approval: approval.view.id, why }, `${approval.view.id} ${why}`)
    throw error
  }

  const find = async (who: string, id: string): Promise<OpenApproval> => {
    const found = open.get(id)
    if (found !== undefined) return found
    const row = await records.row(id)
    if (row === undefined) {
      note('approval.refused', { id, commandId: '', device: '', intent: '' }, who, { approval: id, why: 'unknown' }, id)
      throw new Missing(`This hub has no approval '${id}'. GET /api/approvals lists the open ones.`)
    }
    const before = records.readable(row)
    if (before === undefined) {
      note(
        'approval.refused',
        { id, commandId: '', device: '', intent: '' },
        who,
        { approval: id, why: 'unreadable' },
        id,
      )
      throw new Missing(`The record of approval '${id}' is not as the gate writes it, so it counts for nothing.`)
    }
    return refuse(
      before,
      who,
      `it is ${row.status}`,
      new Recoverable(
        'GONE',
        `Approval ${id} has ended: ${row.status}${row.why === '' ? '' : ` (${row.why})`}. Ask again.`,
        { status: row.status },
      ),
    )
  }

  const yes = async (approval: OpenApproval, who: Principal, phrase: string | undefined): Promise<Answered> => {
    const by = originOf(who)
    const { view, asked } = approval
    const forbid = (why: string, text: string) => refuse(approval, by, why, new Forbidden(text, { approval: view.id }))
    const outside = parts.away(who)
    if (outside !== undefined) forbid('remote', `A yes from outside does not count: ${outside}.`)
    if (view.requestedBy === by && !asked.requesterMayApprove)
      forbid('requester', 'Whoever asked may not approve it: somebody else has to.')
    if (view.given.some((one) => one.by === by))
      forbid('same person', 'You have said yes already: the second yes has to come from somebody else.')
    if (view.given.length === 0 && view.phrase !== undefined && folded(phrase ?? '') !== folded(view.phrase))
      forbid('phrase', `To say yes first, type exactly: ${view.phrase}`)
    const given = [...view.given, { by, at: iso(clock.now()) }]
    const last = given.length >= view.needed
    const next: ApprovalView = { ...view, given, ...(last ? { status: 'approved' as const } : {}) }
    const recorded = await records.yes(next, by)
    if (approval.ended !== undefined)
      throw new Recoverable('GONE', `Approval ${view.id} has ended meanwhile: ${approval.ended}. Ask again.`, {
        status: approval.ended,
      })
    if (!recorded || over)
      throw new Recoverable(
        'UNAVAILABLE',
        'Your yes could not be recorded, so it does not count. Say it again when the database answers.',
      )
    approval.view = { ...next, status: 'pending' }
    note('approval.given', view, by, {
      approval: view.id,
      given: given.length,
      needed: view.needed,
      digest: view.digest,
      policy: asked.policy,
    })
    if (!last) {
      publish(approval)
      announce('approval.given', approval, by)
      return { approval: approval.view }
    }
    const carriedOut = await end(approval, 'approved', '', by)
    return { approval: approval.view, ...(carriedOut === undefined ? {} : { command: carriedOut }) }
  }

  /** Takes an answer. Throws why it does not count: 403 no right, wrong phrase, same person; 404; 409 another digest; 410 ended. */
  const answer = async (who: Principal, { id, decision, phrase, digest }: Decision): Promise<Answered> => {
    const by = originOf(who)
    if (!mayAnswer(by))
      throw new Recoverable(
        'RATE_LIMITED',
        `You answer more often than ${ANSWERS_PER_SECOND} times a second. Wait a moment.`,
      )
    const approval = await find(by, id)
    if (who.kind !== 'person') refuse(approval, by, 'no person', new Forbidden('Only people can approve.'))
    const may = parts.mayApprove(who)
    if (!may.ok) refuse(approval, by, 'right', new Forbidden(may.reason, { right: 'hazards.approve' }))
    if (!approval.asked.approve.some((role) => who.roles.includes(role)))
      refuse(approval, by, 'role', new Forbidden(`This takes one of the roles: ${approval.asked.approve.join(', ')}.`))
    if (digest !== approval.view.digest)
      refuse(
        approval,
        by,
        'digest',
        new Recoverable(
          'CONFLICT',
          'This is not what the approval is about any more: look at it again before you answer.',
          { field: 'digest' },
        ),
      )
    const turn = approval.turn.then(async (): Promise<Answered> => {
      if (approval.ended === undefined && clock.now() >= Date.parse(approval.view.expiresAt)) expire(approval)
      if (approval.ended !== undefined)
        return refuse(
          approval,
          by,
          `it is ${approval.ended}`,
          new Recoverable('GONE', `Approval ${id} has ended: ${approval.ended}. Ask again.`, {
            status: approval.ended,
          }),
        )
      if (decision === 'cancel' || (phrase !== undefined && CANCEL_WORDS.includes(folded(phrase)))) {
        void end(approval, 'cancelled', `cancelled by ${by}`, by)
        return { approval: approval.view }
      }
      if (decision === 'deny') {
        void end(approval, 'denied', `denied by ${by}`, by)
        return { approval: approval.view }
      }
      return yes(approval, who, phrase)
    })
    approval.turn = turn.catch(() => {})
    return turn
  }

  /** Takes up one that an earlier run left open; one whose time is over ends now. */
  const resume = (approval: OpenApproval): void => {
    take(approval)
    if (clock.now() >= Date.parse(approval.view.expiresAt)) expire(approval)
    else publish(approval)
  }

  return {
    ask,
    answer,
    /** Ends those that fit, at once. */
    cancel(fits: (approval: OpenApproval) => boolean, why: string, by: string): number {
      const found = [...open.values()].filter(fits)
      for (const approval of found) void end(approval, 'cancelled', why, by)
      return found.length
    },
    /** The requester takes it back. Throws 403 for another's, 404 and 410 as `answer` does. */
    async takeBack(who: Principal, id: string): Promise<ApprovalView> {
      const by = originOf(who)
      const approval = await find(by, id)
      if (approval.view.requestedBy !== by)
        refuse(approval, by, 'not the requester', new Forbidden('Only whoever asked can take it back.'))
      void end(approval, 'cancelled', `taken back by ${by}`, by)
      return approval.view
    },
    /** Open ones, oldest first; with `all` every one in the table, newest first. */
    list: async ({
      all = false,
      ...page
    }: {
      all?: boolean
      limit?: number
      before?: number | undefined
    }): Promise<Listed[]> => (all ? records.list(page, (id) => open.get(id)) : [...open.values()].map(listed)),
    /** An open one, or one that has ended; undefined for one nobody asked, or whose row is not as the gate writes it. */
    async one(id: string): Promise<Listed | undefined> {
      const now = open.get(id)
      if (now !== undefined) return listed(now)
      const row = await records.row(id)
      return row && records.withEnd(row, undefined)
    },
    of: records.of,
    resume,
    /** After all commands of an earlier run are taken up: takes up releases, ends what no command waits for, clears what is over. */
    async settle(): Promise<void> {
      for (const approval of await records.pending()) {
        if (open.has(approval.view.id)) continue
        if (approval.about === 'resume') resume(approval)
        else await records.end({ ...approval.view, status: 'cancelled' }, 'its command has ended', 'gate')
      }
      tidy((id) => open.has(id))
    },
    prune: records.prune,
    get open() {
      return open.size
    },
    /** Calls off all deadlines; what is open stays open in the table. Resolves when what is being written is. */
    async close(): Promise<void> {
      over = true
      const turns = [...open.values()].map(({ turn }) => turn)
      for (const approval of open.values()) approval.calm()
      await within(recordMs, Promise.allSettled(turns), wait)
    },
  }
}

export interface Answered {
  approval: ApprovalView
  /** What became of the command after the last yes. */
  command?: Record<string, unknown>
}

export type Book = ReturnType<typeof openBook>
