// What a process uses, as Linux tells it: CPU time of its main thread and resident memory.
import fs from 'node:fs'

/** Clock ticks of /proc per second: USER_HZ, 100 on every Linux that Node runs on. */
const TICK_MS = 10
const PAGE_BYTES = 4096

export interface Usage {
  /** Of the main thread, in ms, user and system. */
  cpuMs: number
  rss: number
}

/** Undefined where there is no /proc, or no such process any more. */
export const usageOf = (pid: number | undefined): Usage | undefined => {
  if (pid === undefined || process.platform !== 'linux') return undefined
  try {
    const stat = fs.readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1')
    // After the name, which may hold anything: state is field 3, utime and stime are fields 14 and 15 (proc_pid_stat(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const pages = Number(fs.readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1])
    return { cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS, rss: pages * PAGE_BYTES }
  } catch {
    return undefined
  }
}
