// The end of a conversation as an MQTT client sees it, in a whole hub that keeps one only.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, testHub } from '../../hub/testing/hub.ts'

const plugins = (dir: string): void => {
  mkdirSync(join(dir, 'plugins/assistant'), { recursive: true })
  writeFileSync(
    join(dir, 'plugins/assistant/plugin.ts'),
    `export { default } from ${JSON.stringify(join(ROOT, 'plugins/assistant/plugin.ts'))}\n`,
  )
}

test('a conversation that ends clears its retained context: who comes later finds none', async () => {
  const small = await testHub({
    prepare: (dir) => {
      plugins(dir)
      writeFileSync(join(dir, 'millrace.yaml'), 'plugins:\n  assistant:\n    conversations: 1\n')
    },
  })
  try {
    const wire = await small.mqtt({ clientId: 'ui.ada-end', username: 'ada', password: small.token })
    await wire.subscribe('jarvis/ctx/+')
    const begin = (conversationId: string) =>
      small.api('/api/query', { json: { conversationId, input: { text: 'hello' } } })
    await begin('first')
    await wire.hears(({ topic, text }) => topic === 'jarvis/ctx/first' && text.includes('person:ada'))
    await begin('second')
    await wire.hears(({ topic, text }) => topic === 'jarvis/ctx/first' && text === '')
    const later = await small.mqtt({ clientId: 'ui.ada-late', username: 'ada', password: small.token })
    await later.subscribe('jarvis/ctx/+')
    await later.hears(({ topic }) => topic === 'jarvis/ctx/second')
    expect(later.heard.map(({ topic }) => topic)).toEqual(['jarvis/ctx/second'])
    expect((await small.api('/api/conversations/first')).status).toBe(404)
  } finally {
    await small.close()
  }
})
