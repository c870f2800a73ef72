// CPU time and memory of a process with all its children, from /proc (Linux).
import { readdirSync, readFileSync } from 'node:fs'

const TICK_US = 10_000 // USER_HZ is 100 on every Linux Node runs on

const stat = (pid: number): { ppid: number; ticks: number } | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { ppid: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }
  } catch {
    return undefined // gone meanwhile
  }
}

/** The process and everything it started. */
export const family = (root: number): number[] => {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const parent = Number.isInteger(pid) ? stat(pid)?.ppid : undefined
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const all: number[] = []
  for (const waiting = [root]; waiting.length > 0;) {
    const pid = waiting.pop() ?? 0
    all.push(pid)
    waiting.push(...(children.get(pid) ?? []))
  }
  return all
}

/** CPU time in µs since each process began, user and system together. */
export const cpuOf = (roots: readonly number[]): number =>
  roots.flatMap(family).reduce((sum, pid) => sum + (stat(pid)?.ticks ?? 0) * TICK_US, 0)

const pagesOf = (pid: number): number => {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) / 256
  } catch {
    return 0
  }
}

/** Resident memory in MiB of the processes, with all they started unless told otherwise. */
export const memoryOf = (roots: readonly number[], withChildren = true): number =>
  (withChildren ? roots.flatMap(family) : roots).reduce((sum, pid) => sum + pagesOf(pid), 0)

/** The same, with pages that several processes share counted once in all. NaN where the kernel does not tell. */
export const ownMemoryOf = (roots: readonly number[]): number =>
  roots.flatMap(family).reduce((sum, pid) => {
    try {
      const found = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))
      return sum + Number(found?.[1]) / 1024
    } catch {
      return Number.NaN
    }
  }, 0)
