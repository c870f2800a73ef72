// The trail of a command in the audit: its steps are kept back until it is clear that they are worth telling, and equal ones are counted.
import type { Clock } from '../clock.ts'
import type { AuditEvent } from './audit.ts'
import type { Wait } from './bounds.ts'
import type { Command } from './command.ts'
import { openFold } from './fold.ts'
import type { Ledger } from './ledger.ts'

export interface TrailParts {
  clock: Pick<Clock, 'now'>
  wait: Wait
  ledger: Pick<Ledger, 'audit'>
  /** Told of a row that ends a request, and of one that is no command's step. */
  told?: ((row: AuditEvent) => void) | undefined
}

export const openTrail = ({ clock, wait, ledger, told = () => {} }: TrailParts) => {
  const fold = openFold({ clock, wait, tell: (event) => ledger.audit(event) })

  const eventOf = (
    event: string,
    { request: { id: subject, device, intent }, origin }: Command,
    detail: Record<string, unknown>,
    who = origin,
  ): AuditEvent => ({ at: clock.now(), event, subject, who, device, intent, detail })

  /** Tells the audit the steps so far; further ones are told at once. */
  const tell = (command: Command): void => {
    for (const step of command.trail ?? []) ledger.audit(step)
    delete command.trail
  }

  return {
    tell,
    /** A step of a command. Kept back as long as the command has a trail. */
    audit(event: string, command: Command, detail: Record<string, unknown>, who?: string): void {
      const step = eventOf(event, command, detail, who)
      if (command.trail === undefined) ledger.audit(step)
      else command.trail.push(step)
    },
    /** A step that ends or repeats a request: told with the steps before it, unless an equal one was within a minute. Then it is counted, and further steps are not told either. */
    auditOnce(event: string, command: Command, detail: Record<string, unknown>, same: string): void {
      const step = eventOf(event, command, detail)
      if (fold.isFirst(step, same)) {
        tell(command)
        ledger.audit(step)
        told(step)
      } else command.trail = []
    },
    /** An audit row about something that is no command's step; with `same`, told once a minute and counted. */
    note(
      event: string,
      subject: string,
      who: string,
      detail: Record<string, unknown>,
      device = '',
      intent = '',
      same?: string,
    ): void {
      const row = { at: clock.now(), event, subject, who, device, intent, detail }
      if (same !== undefined && !fold.isFirst(row, same)) return
      ledger.audit(row)
      told(row)
    },
    /** Tells what was counted so far. */
    close: (): void => fold.close(),
  }
}
