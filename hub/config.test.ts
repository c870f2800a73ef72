import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig, variables } from './config.ts'

const folder = (files: Record<string, string> = {}) => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-config-'))
  for (const [name, body] of Object.entries(files)) writeFileSync(join(dir, name), body)
  return dir
}

test('.env.example lists every variable, and no other', () => {
  const listed = [...readFileSync('.env.example', 'utf8').matchAll(/^([A-Z][A-Z0-9_]*)=/gm)].map((m) => m[1])
  expect(listed.sort()).toEqual(Object.keys(variables.shape).sort())
})

test('.env.example is a valid .env and equals the defaults', () => {
  const dir = folder({ '.env': readFileSync('.env.example', 'utf8') })
  expect({ ...readConfig({}, dir), DATA_DIR: '', FLOWS_DIR: '', PLUGINS_DIR: '' }).toEqual({
    ...readConfig({}, folder()),
    DATA_DIR: '',
    FLOWS_DIR: '',
    PLUGINS_DIR: '',
  })
})

test('the environment wins over .env, .env over the file, the file over the default', () => {
  const dir = folder({
    '.env': 'MQTT_PORT=2\nHTTP_PORT=2',
    'millrace.yaml': 'MQTT_PORT: 1\nHTTP_PORT: 1\nMQTTS_PORT: 1',
  })
  expect(readConfig({ HTTP_PORT: '3' }, dir)).toMatchObject({
    HTTP_PORT: 3,
    MQTT_PORT: 2,
    MQTTS_PORT: 1,
    HTTPS_PORT: 8443,
  })
})

test.each([
  [{ '.env': 'MQTT_PROT=1' }, {}, /'MQTT_PROT'/],
  [{ 'millrace.yaml': 'colour: blue' }, {}, /'colour': not known/],
  [{ 'millrace.yaml': 'journal: { days: soon }' }, {}, /journal\.days: .*\(a string was given\)/],
  [{}, { MQTT_PORT: 'many' }, /MQTT_PORT: .*number/],
  [{}, { DURABILITY: 'forever' }, /DURABILITY: .*process.*power/],
  [{}, { TOPIC_PREFIX: 'a/#' }, /TOPIC_PREFIX/],
  [{}, { ADMIN_USER: 'ada' }, /belong together/],
  [{}, { CONFIG_FILE: 'nowhere.yaml' }, /not there/],
  [{}, { BROKER_URL: 'mqtt://a', BRIDGE_URL: 'mqtt://b' }, /exclude each other/],
  [{ 'millrace.yaml': 'bridge: { both: [] }' }, {}, /'both': not known/],
  [{ 'millrace.yaml': 'a: [' }, {}, /is not valid/],
])('what is wrong is named: %o %o', (files, environment, says) => {
  expect(() => readConfig(environment as Record<string, string>, folder(files as Record<string, string>))).toThrow(says)
})

test('a secret in a wrong configuration is not repeated in the error', () => {
  const error = thrownBy(() =>
    readConfig({ ADMIN_USER: 'ada', ADMIN_PASSWORD: 'hunter22222', MQTT_PORT: 'x' }, folder()),
  )
  expect(error).toMatch(/MQTT_PORT/)
  expect(error).not.toMatch(/hunter/)
})

test('the password in the address of a broker cannot be printed', () => {
  const config = readConfig({ BROKER_URL: 'mqtt://hub:hunter22222@127.0.0.1' }, folder())
  expect(config.BROKER_URL?.reveal()).toContain('hunter22222')
  expect(`${JSON.stringify(config)} ${String(config.BROKER_URL)}`).not.toContain('hunter')
})

const thrownBy = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    return String(error)
  }
  return 'nothing was thrown'
}
