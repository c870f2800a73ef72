// The templates that devices send, what they give, and that none of them can run away.
import { describe, expect, test } from 'vitest'
import { template } from './template.ts'

const run = (source: string, payload = '', more: Record<string, unknown> = {}): string | undefined => {
  const made = template(source)
  if ('problem' in made) throw new Error(made.problem)
  let json: unknown
  try {
    json = JSON.parse(payload)
  } catch {
    json = undefined
  }
  return made.run({ value: payload, value_json: json, ...more })
}
const problem = (source: string): string => {
  const made = template(source)
  return 'problem' in made ? made.problem : 'none'
}

describe('what it gives', () => {
  test.each([
    ['{{ value_json.temperature }}', '{"temperature":21.5}', '21.5'],
    ["{{ value_json['battery'] }}", '{"battery":90}', '90'],
    ['{{ value_json["a"].b[1] }}', '{"a":{"b":[1,2]}}', '2'],
    ['{{ value_json.DS18B20.Temperature }}', '{"DS18B20":{"Temperature":-3.25}}', '-3.25'],
    ['{{ value }}', 'ON', 'ON'],
    ['{{ value | float / 10 }}', '215', '21.5'],
    ['{{ value_json.x | float(0) | round(1) }}', '{"x":"1.26"}', '1.3'],
    ['{{ (value_json.x | int) * 2 + 1 }}', '{"x":"4"}', '9'],
    ["{{ value_json.x | default('none') }}", '{}', 'none'],
    ["{{ value_json.x | default('off', true) }}", '{"x":""}', 'off'],
    ['{{ value_json.x | is_defined }}', '{"x":0}', '0'],
    ['{{ value | upper }}/{{ value | lower }}', 'On', 'ON/on'],
    ['{{ value_json.c | tojson }}', '{"c":{"r":1}}', '{"r":1}'],
    ['{% if value_json.on %}ON{% else %}OFF{% endif %}', '{"on":false}', 'OFF'],
    ["{% if value == 'a' %}1{% elif value == 'b' %}2{% else %}3{% endif %}", 'b', '2'],
    ["{{ 'ON' if value_json.state == 'on' and not value_json.off else 'OFF' }}", '{"state":"on"}', 'ON'],
    [
      "{% set values = {None:None,'idle':'idle','heat':'heating'} %}{{ values[value_json.running_state] }}",
      '{"running_state":"heat"}',
      'heating',
    ],
    ["{{ value_json.get('x', 'y') }}", '{"x":1}', '1'],
    ["{{ value.split(',')[1] | trim }}", 'a, b', 'b'],
    ['{{ value_json.a is defined }}', '{"a":null}', 'True'],
    ['{{ value_json.a is not none }}', '{"a":null}', 'False'],
    ["{{ 'x' in value }}", 'axb', 'True'],
    ["{{ value not in ['a', 'b'] }}", 'c', 'True'],
    ['{%- set t = 5 -%}  {{ t ~ "s" }}  ', '', '5s'],
    ['{{ -7 % 3 }} {{ 7 // 2 }} {{ 1 if 2 > 1 else 0 }}', '', '2 3 1'],
    ['{{ iif(value_json.x, "yes", "no") }}', '{"x":1}', 'yes'],
    ['{{ [1, 5, 3] | max }}', '', '5'],
    ['plain {# a remark #}text', '', 'plain text'],
    ['{{ true }} {{ none }}', '', 'True None'],
    ["{{ value_json['update']['state'] == 'available' }}", '{"update":{"state":"available"}}', 'True'],
  ])('%s', (source, payload, gives) => expect(run(source, payload)).toBe(gives))
})

test('a value that is not there leaves things as they are', () => {
  expect(run('{{ value_json.x | is_defined }}', '{}')).toBeUndefined()
  expect(run('{{ value | float }}', 'unknown')).toBeUndefined()
  expect(run('{{ 1 / value_json.n }}', '{"n":0}')).toBeUndefined()
  expect(run('{{ value_json.x.y.z }}', 'no JSON')).toBe('')
})

test.each([
  ['{% for x in value_json %}{{ x }}{% endfor %}', /not supported: 'for'/],
  ["{{ states('light.x') }}", /the function 'states'/],
  ['{{ now() }}', /the function 'now'/],
  ["{{ value | regex_replace('a+','') }}", /the filter 'regex_replace'/],
  ['{{ value.__class__() }}', /the method '__class__'/],
  ["{{ 'a' ** 9 }}", /'\*\*'/],
  ['{{ value[1:2] }}', /slices/],
  ['{{ value', /does not end/],
  ['{% if value %}x', /does not end/],
  ['{% include "x" %}', /'include'/],
  [`{{ ${'('.repeat(100)}1${')'.repeat(100)} }}`, /nesting/],
  [`{{ ${Array.from({ length: 800 }, () => '1').join('+')} }}`, /more than 600 parts/],
  ['x'.repeat(5000), /4000 characters/],
])('%s is said to be not supported', (source, why) => expect(problem(source)).toMatch(why))

test('no template reaches a prototype', () => {
  expect(run('{{ value_json.constructor }}{{ value_json.__proto__ }}{{ value.length }}', '{"a":1}')).toBe('')
  expect(run('{{ value_json.__proto__ }}', '{"__proto__":"own"}')).toBe('own')
})

test('no template runs away: size and steps are bounded', () => {
  const doubling = `{% set a = value %}${'{% set a = a ~ a %}'.repeat(40)}{{ a }}`
  const started = performance.now()
  expect(run(doubling, 'x'.repeat(1000))).toBeUndefined()
  expect(run("{{ value | replace('x', value) }}", 'x'.repeat(4000))).toBeUndefined()
  expect(performance.now() - started).toBeLessThan(200)
})

const times = (text: string, n: number): string => text.repeat(n)
test.each([
  [
    'a list that holds itself twice, thirty times over',
    `{% set a = [value] %}${times('{% set a = [a, a] %}', 30)}{{ a }}`,
  ],
  ['the same as JSON', `{% set a = [value] %}${times('{% set a = [a, a] %}', 30)}{{ a | tojson }}`],
  ['the same of records', `{% set a = {'x': 1} %}${times("{% set a = {'x': a, 'y': a} %}", 30)}{{ a | string }}`],
  ['the same compared', `{% set a = [1] %}${times('{% set a = [a, a] %}', 30)}{{ a == [a] }}`],
  ['the same looked for', `{% set a = [1] %}${times('{% set a = [a, a] %}', 30)}{{ a in [a] }}`],
  ['a long list searched for a long list, ninety times', times('{{ value_json.w in value_json.l }}', 90)],
  ['all that was said, printed a hundred times', times('{{ value_json | tojson | length }}', 90)],
  ['what is nested deeper than anything', '{{ value_json.deep == value_json.deep }}'],
])('%s: it ends at once, and the value stays as it was', (_, source) => {
  const list = (item: string) => Array.from({ length: 3000 }, () => item).join(',')
  const payload = `{"w":[${list('1')}],"l":[${list('[1]')}],"deep":${times('[', 9000)}${times(']', 9000)}}`
  const started = performance.now()
  expect(run(source, payload)).toBeUndefined()
  expect(performance.now() - started).toBeLessThan(500)
})

test('a number of a hundred thousand digits and a letter is none, and is seen to be none at once', () => {
  const started = performance.now()
  expect(run('{{ value | float(7) }}', `${times('1', 100_000)}x`)).toBe('7')
  expect(performance.now() - started).toBeLessThan(200)
})

test('what is said may be long as long as little of it is printed', () => {
  const payload = JSON.stringify({ list: Array.from({ length: 5000 }, (_, n) => n), power: 7 })
  expect(run("{{ value_json.get('power') | float | round(1) }}", payload)).toBe('7')
  expect(run('{{ value_json.list | length }}', payload)).toBe('5000')
  expect(run('{{ 4999 in value_json.list }}', payload)).toBe('True')
})
