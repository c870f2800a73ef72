// Whose a conversation is: the person who began it reads and continues it; one that began at a place belongs to everybody there.
import { type Principal, Recoverable } from '#hub/plugin'
import type { Belonging } from './conversations.ts'

/** The channel of a screen or microphone that everybody in a place uses. */
const PLACE = 'wall'

const nameOf = ({ kind, id }: Principal): string => `${kind}:${id}`

/** Whose a conversation becomes that `who` begins on a channel. */
export const begunBy = (who: Principal, channel: string | undefined): Belonging => ({
  owner: nameOf(who),
  ...(channel === PLACE ? { shared: true } : {}),
})

const isOwn = ({ owner, shared }: Belonging, who: Principal): boolean => shared === true || owner === nameOf(who)

/** Throws POLICY_ERROR when a conversation is somebody else's. */
export const mustContinue = (whose: Belonging, who: Principal): void => {
  if (!isOwn(whose, who))
    throw new Recoverable(
      'POLICY_ERROR',
      `This conversation is somebody else's: take another conversationId. One that begins with channel '${PLACE}' is shared.`,
      { field: 'conversationId' },
    )
}

/** Throws POLICY_ERROR when a conversation is somebody else's and the reader no admin with all rights. */
export const mustRead = (whose: Belonging, who: Principal): void => {
  if (!isOwn(whose, who) && !(who.roles.includes('admin') && who.scopes === undefined))
    throw new Recoverable('POLICY_ERROR', "This conversation is somebody else's: only they and admins read it.", {
      field: 'id',
    })
}
