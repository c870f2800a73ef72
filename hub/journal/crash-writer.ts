// For the crash test: appends without end, and notes each acknowledged seq in a second file, until it is killed.
import { openSync, writeSync } from 'node:fs'
import { openJournal } from './journal.ts'
import { crashEntry } from './crash-entry.ts'

const [dir = '', durability, file = ''] = process.argv.slice(2)
const out = openSync(file, 'a')
const journal = await openJournal(dir, {
  durability: durability === 'power' ? 'power' : 'process',
  segmentBytes: 64 * 1024,
  clock: { stamp: () => Date.now() },
  snapshot: () => [crashEntry(0)],
})
const told = Buffer.alloc(8)
const tell = (seq: number) => {
  told.writeDoubleLE(seq)
  writeSync(out, told)
}
const writer = () => {
  for (let k = 0; k < 5; k++) {
    const seq = journal.reserve()
    journal.append(crashEntry(seq), (error) => {
      if (error === undefined) tell(seq)
    })
  }
  setTimeout(writer, seqIsEven() ? 0 : 1)
}
let turn = 0
const seqIsEven = () => turn++ % 2 === 0
for (let i = 0; i < 8; i++) writer()
