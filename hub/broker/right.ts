// With which right somebody publishes a topic, in words: the verdict of the policy, and the rule behind a yes.
import type { Access } from '../access/access.ts'
import { deviceTopics, writableTopics } from '../access/policy.ts'
import { matches } from '../bus/filters.ts'
import type { Principal } from '../bus/principal.ts'
import type { TopicTable } from '../topics/table.ts'

export interface RightParts {
  access: Pick<Access, 'principalOf' | 'mayPublish'>
  table: Pick<TopicTable, 'prefix' | 'match'>
}

export interface ExplainedRight {
  allowed: boolean
  why: string
}

/** Whether `origin` (such as `device:dust`) may publish the full topic, by the rights as they are now. */
export const explainRight = ({ access, table }: RightParts, origin: string, topic: string): ExplainedRight => {
  const who = access.principalOf(origin)
  if (who === undefined) {
    return { allowed: false, why: `${origin} is nobody the hub knows now: its account or credential is gone` }
  }
  const verdict = access.mayPublish(who, topic)
  return verdict.ok ? { allowed: true, why: ruleOf(table, who, topic) } : { allowed: false, why: verdict.reason }
}

/** The rule that gives the right; asked only where there is one. */
const ruleOf = ({ prefix, match }: RightParts['table'], who: Principal, topic: string): string => {
  const row = match(topic)
  switch (who.kind) {
    case 'person': {
      const found = writableTopics.find(({ filter }) => matches(`${prefix}/${filter}`, topic))
      const roles = who.roles.length === 0 ? 'its role' : `the role ${who.roles.join(', ')}`
      return found === undefined
        ? `${roles} gives it`
        : `${roles} gives the right ${found.right}, which allows ${prefix}/${found.filter}`
    }
    case 'device': {
      const mine = `${prefix}/devices/${who.id}/`
      const isOwn = topic.startsWith(mine) && deviceTopics.publish.some((name) => name === topic.slice(mine.length))
      if (isOwn) return `every device publishes its own topics below ${mine}`
      const granted = who.topics?.find((filter) => matches(filter, topic))
      return `its credential was granted ${granted ?? 'the topic'}`
    }
    case 'plugin':
      return 'the plugin declares the topic in publishes'
    case 'flow':
      return row?.row.by === 'flow' ? 'a flow publishes values under its own name' : 'every flow may ask devices'
    case 'gate':
    case 'hub':
      return `only the ${who.kind} publishes ${row?.key ?? topic}`
  }
}
