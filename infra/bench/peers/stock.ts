// A stock aedes with rxjs rules in one process: what one gets without any of our work. Run only by the benchmark, from a copy with our patch taken out.
import { createServer } from 'node:net'
import { Subject, filter, map } from 'rxjs'

const [path = '', rules = '1'] = process.argv.slice(2)
const { Aedes } = (await import(path)) as {
  Aedes: {
    createBroker(options: object): Promise<{
      handle: (socket: object) => void
      subscribe(
        topic: string,
        take: (packet: { topic: string; payload: Buffer }, done: () => void) => void,
        done: () => void,
      ): void
      publish(packet: object, done: () => void): void
    }>
  }
}
const broker = await Aedes.createBroker({ concurrency: 1000 })
const heads = new Map<string, Subject<{ t: number; value: number }>>()
for (let n = 0; n < Number(rules); n++) {
  const head = new Subject<{ t: number; value: number }>()
  heads.set(`bench/${n}/in`, head)
  head
    .pipe(
      filter(({ value }) => value > 20),
      map(({ t, value }) => ({ t, double: value * 2 })),
    )
    .subscribe((out) =>
      broker.publish({ cmd: 'publish', topic: `bench/${n}/out`, payload: JSON.stringify(out), qos: 0 }, () => {}),
    )
}
broker.subscribe(
  'bench/+/in',
  (packet, done) => {
    heads.get(packet.topic)?.next(JSON.parse(packet.payload.toString()) as { t: number; value: number })
    done()
  },
  () => {},
)
const server = createServer((socket) => {
  socket.setNoDelay(true)
  broker.handle(socket)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`${typeof address === 'object' && address !== null ? address.port : 0}\n`)
})
