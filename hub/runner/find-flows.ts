// Finds flows: each .ts file directly in the folder is one, but for tests and declarations.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

export interface FlowFile {
  /** The file's name without `.ts`. */
  id: string
  file: string
  /** Of the file's content: the first 12 hex digits of its SHA-256. */
  version: string
  /** Its first comment line. */
  about: string
}

const isFlow = (name: string): boolean => name.endsWith('.ts') && !/\.(test|d)\.ts$/.test(name)

/** The flows of a folder, by name; none when there is no such folder. */
export const findFlows = async (dir: string): Promise<FlowFile[]> => {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return Promise.all(
    names
      .filter(isFlow)
      .sort()
      .map((name) => readFlow(path.join(path.resolve(dir), name))),
  )
}

/** What a flow's file says of itself before it runs. */
export const readFlow = async (file: string): Promise<FlowFile> => {
  const text = await readFile(file, 'utf8')
  return {
    id: path.basename(file, '.ts'),
    file,
    version: createHash('sha256').update(text).digest('hex').slice(0, 12),
    about: /^\s*\/\/\s*(.*)/.exec(text)?.[1]?.trim().slice(0, 300) ?? '',
  }
}
