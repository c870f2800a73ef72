// GET /api/plugins: which plugins there are and how they do.
import { z } from 'zod'
import type { Routes } from '../http/app.ts'
import { PluginViewSchema, type PluginView } from './view.ts'

/** `GET /api/plugins` → `{items: [{id, title, status, handles, publishes, restarts, error?}]}`. */
export const pluginRoutes =
  (list: () => PluginView[]): Routes =>
  (app) => {
    app.get(
      '/api/plugins',
      {
        config: { may: 'health.read' },
        schema: {
          summary: 'The plugins with their state',
          tags: ['plugins'],
          response: { 200: z.object({ items: z.array(PluginViewSchema) }) },
        },
      },
      () => ({ items: list() }),
    )
  }
