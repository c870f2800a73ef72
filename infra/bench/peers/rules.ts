// The peer's rules: the same pipelines as the flows, with mqtt.js and rxjs in one process beside a broker.
import mqtt from 'mqtt'
import { Subject, filter, map } from 'rxjs'

const [port = '1883', rules = '1'] = process.argv.slice(2)
const client = await mqtt.connectAsync({
  host: '127.0.0.1',
  port: Number(port),
  protocolVersion: 4,
  clientId: 'rules',
  keepalive: 0,
})
;(client.stream as { setNoDelay?: (on: boolean) => void }).setNoDelay?.(true)

const heads = new Map<string, Subject<{ t: number; value: number }>>()
for (let n = 0; n < Number(rules); n++) {
  const head = new Subject<{ t: number; value: number }>()
  heads.set(`bench/${n}/in`, head)
  head
    .pipe(
      filter(({ value }) => value > 20),
      map(({ t, value }) => ({ t, double: value * 2 })),
    )
    .subscribe((out) => client.publish(`bench/${n}/out`, JSON.stringify(out)))
}
client.on('message', (topic, payload) =>
  heads.get(topic)?.next(JSON.parse(payload.toString()) as { t: number; value: number }),
)
await client.subscribeAsync('bench/+/in')
process.stdout.write('ready\n')
