// A flow out of git, as it was.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { newFolder, tidy } from './replay.rig.ts'
import { atRevision } from './revision.ts'

afterEach(tidy)

const repository = (): { flows: string; commit(name: string): void } => {
  const dir = newFolder()
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', dir, '-c', 'user.name=x', '-c', 'user.email=x@example.org', ...args], { stdio: 'pipe' })
  git('init', '-q')
  const flows = path.join(dir, 'flows')
  mkdirSync(path.join(flows, 'shared'), { recursive: true })
  return {
    flows,
    commit(name) {
      git('add', '.')
      git('commit', '-q', '-m', name)
      git('tag', name)
    },
  }
}

test('the file and those it may import are as they were; the folder goes away again', async () => {
  const { flows, commit } = repository()
  const file = path.join(flows, 'door.ts')
  const write = (word: string) => {
    writeFileSync(file, `export default '${word}'\n`)
    writeFileSync(path.join(flows, 'shared', 'limits.ts'), `export const limit = '${word}'\n`)
    writeFileSync(path.join(flows, 'door.test.ts'), 'never\n')
  }
  write('old')
  commit('first')
  write('new')
  commit('second')
  const then = await atRevision(file, 'first')
  const dir = path.dirname(then.file)
  expect(readFileSync(then.file, 'utf8')).toContain('old')
  expect(readFileSync(path.join(dir, 'shared', 'limits.ts'), 'utf8')).toContain('old')
  expect(readdirSync(dir).sort()).toEqual(['door.ts', 'package.json', 'shared'])
  await then.drop()
  expect(existsSync(dir)).toBe(false)
  expect(readFileSync(file, 'utf8')).toContain('new')
})

test('a revision or a file that is not there is told; an option is no revision', async () => {
  const { flows, commit } = repository()
  const file = path.join(flows, 'door.ts')
  writeFileSync(file, 'x\n')
  commit('first')
  await expect(atRevision(file, 'none')).rejects.toThrow("neither 'recorded', nor a file, nor a revision")
  await expect(atRevision(file, '--output=x')).rejects.toThrow('nor a revision')
  await expect(atRevision(path.join(flows, 'other.ts'), 'first')).rejects.toThrow("is not in revision 'first'")
})
