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
  source: string
}

/** Whether a name in the folder is that of a flow. */
export const isFlow = (name: string): boolean => /^[\w][\w.-]*\.ts$/.test(name) && !/\.(test|d)\.ts$/.test(name)

/** Paths of the flows of a folder, by name; none when there is no such folder. */
export const flowPaths = async (dir: string): Promise<string[]> => {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return names
    .filter(isFlow)
    .sort()
    .map((name) => path.join(path.resolve(dir), name))
}

/** The flows of a folder, by name; none when there is no such folder. */
export const findFlows = async (dir: string): Promise<FlowFile[]> => Promise.all((await flowPaths(dir)).map(readFlow))

/** What a flow's file says of itself before it runs. */
export const readFlow = async (file: string): Promise<FlowFile> => {
  const source = await readFile(file, 'utf8')
  return {
    id: path.basename(file, '.ts'),
    file,
    version: createHash('sha256').update(source).digest('hex').slice(0, 12),
    about: /^\s*\/\/\s*(.*)/.exec(source)?.[1]?.trim().slice(0, 300) ?? '',
    source,
  }
}
