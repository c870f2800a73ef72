// Whether the hub listens on the network, changed by an admin while it runs: the parts then start again, about a second.
import { z } from 'zod'
import { Recoverable } from '../errors.ts'
import { OPEN_TO_NETWORK, type Settings } from '../store/settings.ts'
import type { Routes } from './app.ts'

const View = z.object({
  open: z.boolean().describe('Whether it listens on every address, or on loopback alone'),
  bind: z.string(),
  fixed: z.boolean().describe('BIND decides; it cannot be changed here'),
})

export interface NetworkParts {
  settings: Settings & { bind: string }
  /** `BIND`, when it is set. */
  fixed: string | undefined
  /** Starts the parts again, once the answer is out. */
  reopen: () => void
}

export const networkRoutes =
  ({ settings, fixed, reopen }: NetworkParts): Routes =>
  (app) => {
    const view = () => ({
      open: !/^(127\.|::1$|localhost$)/.test(settings.bind),
      bind: settings.bind,
      fixed: fixed !== undefined,
    })

    app.get(
      '/api/network',
      {
        config: { may: 'health.read' },
        schema: { tags: ['network'], summary: 'Whether the hub listens on the network', response: { 200: View } },
      },
      () => view(),
    )

    app.put(
      '/api/network',
      {
        config: { may: 'settings.manage' },
        schema: {
          tags: ['network'],
          summary: 'Open the hub to the network, or close it; connections break for about a second',
          body: z.strictObject({ open: z.boolean() }),
          response: { 202: View },
        },
      },
      async (request, reply) => {
        if (fixed !== undefined) {
          throw new Recoverable(
            'CONFLICT',
            `BIND is set to ${fixed} and decides: change it there and start the hub again.`,
          )
        }
        const { open } = request.body
        await settings.set(OPEN_TO_NETWORK, open)
        if (open !== view().open) reply.raw.once('close', reopen)
        return reply.code(202).send({ ...view(), open })
      },
    )
  }
