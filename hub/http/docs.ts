// The API's description at /api/docs, made from the schemas of the routes; nothing is loaded from elsewhere.
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { jsonSchemaTransform } from 'fastify-type-provider-zod'
import type { App } from './app.ts'

export const DOCS = '/api/docs'

/** Registers the description; must come before the routes it describes. */
export const docs = async (app: App, info: { title: string; version: string; description?: string }): Promise<void> => {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { description: 'What the hub answers over HTTP.', ...info },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
    },
    transform: (document) => {
      const { schema, url } = jsonSchemaTransform(document)
      const may = document.route.config?.may
      if (may === undefined || schema?.['hide'] === true) return { schema, url }
      const said = typeof schema?.['description'] === 'string' ? `${schema['description']}\n\n` : ''
      return may === 'public'
        ? { schema: { ...schema, security: [] }, url }
        : { schema: { ...schema, description: `${said}Takes the right \`${may}\`.` }, url }
    },
  })
  await app.register(swaggerUi, { routePrefix: DOCS, uiConfig: { deepLinking: true, validatorUrl: null } })
}
