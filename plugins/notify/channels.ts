// The ways out: ntfy, and webhooks whose body is signed. Each is a peer in peers.yaml; secrets are revealed here alone.
import { createHmac } from 'node:crypto'
import type { CredentialRecord } from '#hub/plugin'
import type { Post } from './post.ts'
import type { Notification } from './topics.ts'

export interface Channel {
  name: string
  /** The POST that tells of a notification. `link` is the full address that opens it. */
  request(
    notification: Notification,
    link: string | undefined,
    at: number,
  ): Pick<Post, 'path' | 'headers' | 'body' | 'credential'>
}

const authOf = ({ auth }: CredentialRecord): Record<string, string> => {
  switch (auth.kind) {
    case 'none':
      return {}
    case 'bearer':
      return { authorization: `Bearer ${auth.token.reveal()}` }
    case 'api-key':
      return { [auth.header.toLowerCase()]: auth.key.reveal() }
    case 'password':
      return { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password.reveal()}`).toString('base64')}` }
  }
}

const PRIORITY: Readonly<Record<Notification['severity'], number>> = { info: 2, warning: 3, error: 4, critical: 5 }
const TAGS: Readonly<Record<Notification['source'], string>> = {
  error: 'warning',
  approval: 'raised_hand',
  flow: 'gear',
  stop: 'octagonal_sign',
}

/** ntfy takes a JSON message on its root (docs.ntfy.sh/publish, "Publish as JSON"). */
export const ntfyChannel = (name: string, credential: CredentialRecord, topic: string): Channel => ({
  name,
  request: ({ title, text, severity, source, status }, link) => ({
    credential,
    path: '',
    headers: { 'content-type': 'application/json', ...authOf(credential) },
    body: JSON.stringify({
      topic,
      title: status === 'ended' ? `Over: ${title}` : title,
      message: text === '' ? title : text,
      priority: status === 'ended' ? 2 : PRIORITY[severity],
      tags: [TAGS[source]],
      ...(link === undefined
        ? {}
        : {
            click: link,
            actions: [{ action: 'view', label: source === 'approval' ? 'Open the approval' : 'Open', url: link }],
          }),
    }),
  }),
})

/** Signature of a webhook: HMAC-SHA256 over `<timestamp>.<body>`, in hex. The timestamp lets the receiver refuse replays. */
export const signatureOf = (key: string, timestamp: string, body: string): string =>
  createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex')

/** A JSON POST. With `auth.kind: api-key` the key signs and is not sent; any other auth is sent as it is. */
export const webhookChannel = (name: string, credential: CredentialRecord): Channel => ({
  name,
  request: (notification, link, at) => {
    const body = JSON.stringify({ ...notification, ...(link === undefined ? {} : { url: link }) })
    const timestamp = String(Math.floor(at / 1000))
    const { auth } = credential
    return {
      credential,
      path: '',
      body,
      headers: {
        'content-type': 'application/json',
        'x-millrace-notification': notification.id,
        'x-millrace-timestamp': timestamp,
        ...(auth.kind === 'api-key'
          ? { 'x-millrace-signature': `sha256=${signatureOf(auth.key.reveal(), timestamp, body)}` }
          : authOf(credential)),
      },
    }
  },
})
