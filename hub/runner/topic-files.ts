// Finds topic tables: the core's, and what each plugins/<id>/topics.ts exports.
import { pathToFileURL } from 'node:url'
import { core } from '../topics/core.ts'
import type { TopicRow, TopicRows } from '../topics/row.ts'

/** The core table and every table the given files export. Throws, naming the file, when one does not load or exports no table. */
export const loadTopicTables = async (files: readonly string[]): Promise<TopicRows[]> => {
  const tables: TopicRows[] = [core]
  for (const file of files) {
    const module: unknown = await import(pathToFileURL(file).href)
    const found = Object.values(module as object).filter(isTable)
    if (found.length === 0) throw new Error(`${file} exports no topic table: export const … = topics({ … })`)
    tables.push(...new Set(found))
  }
  return tables
}

const isTable = (value: unknown): value is TopicRows =>
  isObject(value) && Object.keys(value).length > 0 && Object.values(value).every(isRow)

const isRow = (value: unknown): value is TopicRow =>
  isObject(value) && isObject(value['payload']) && 'safeParse' in value['payload'] && 'qos' in value && 'by' in value

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
