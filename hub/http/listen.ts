// Opening ports: a taken port, a foreign address or a missing right become one sentence that says what to do.
import type { Server } from 'node:net'
import { Fatal } from '../errors.ts'

/** What a person has to do about a port that cannot be opened. `variable` is the one that sets it, such as HTTP_PORT. */
export const portError = (error: unknown, where: { variable: string; port: number; bind: string }): Fatal => {
  const { variable, port, bind } = where
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const sentence =
    code === 'EADDRINUSE'
      ? `Port ${port} is taken by another program. Choose another one with ${variable}=${port + 1} npm start, or stop that program. "npm run doctor" says more.`
      : code === 'EACCES'
        ? `This user may not open port ${port}. Choose one above 1023 with ${variable}.`
        : code === 'EADDRNOTAVAIL'
          ? `${bind} is not an address of this computer. Set BIND to one that is, or to 0.0.0.0 for all of them.`
          : `Port ${port} on ${bind} cannot be opened: ${error instanceof Error ? error.message : String(error)}. ${variable} and BIND choose another.`
  return new Fatal(sentence, error)
}

/** Listens and resolves to the real port; rejects with Fatal. */
export const listen = (server: Server, where: { variable: string; port: number; bind: string }): Promise<number> =>
  new Promise((resolve, reject) => {
    const failed = (error: unknown): void => reject(portError(error, where))
    server.once('error', failed)
    server.listen({ port: where.port, host: where.bind, backlog: 1024 }, () => {
      server.off('error', failed)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : where.port)
    })
  })
