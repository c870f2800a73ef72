// The process that checks types of flows, with TypeScript's language service: what was read once is not read again.
import { existsSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { Question } from './types.ts'

const APP = fileURLToPath(new URL('../../', import.meta.url))
const MOST = 20
const [, , flowsDir = '', ...topicFiles] = process.argv

/** The rules of the folder's own tsconfig.json, or of the flows that come with the hub; found from here, wherever the folder is. */
const rules = (): ts.CompilerOptions => {
  const own = path.join(flowsDir, 'tsconfig.json')
  const file = existsSync(own) ? own : path.join(APP, 'flows', 'tsconfig.json')
  const { config } = ts.readConfigFile(file, ts.sys.readFile) as { config?: unknown }
  const { options } = ts.parseJsonConfigFileContent(config ?? {}, ts.sys, path.dirname(file))
  const rxjs = path.join(path.dirname(ts.sys.resolvePath(fileURLToPath(import.meta.resolve('rxjs')))), '../types')
  return {
    ...options,
    strict: true,
    noEmit: true,
    incremental: false,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    // A folder elsewhere has no package.json that says what is a module.
    module: ts.ModuleKind.Preserve,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    paths: {
      '#hub': [path.join(APP, 'hub/streams/hub.ts')],
      ...(existsSync(rxjs) ? { rxjs: [path.join(rxjs, 'index.d.ts')], 'rxjs/*': [path.join(rxjs, '*')] } : {}),
    },
  }
}

const texts = new Map<string, { text: string; version: number }>()
const options = rules()
const host: ts.LanguageServiceHost = {
  getCompilationSettings: () => options,
  getScriptFileNames: () => [...texts.keys(), ...topicFiles],
  getScriptVersion: (file) =>
    String(texts.get(file)?.version ?? (file.startsWith(flowsDir) ? ts.sys.getModifiedTime?.(file)?.getTime() : 0)),
  getScriptSnapshot(file) {
    const text = texts.get(file)?.text ?? ts.sys.readFile(file)
    return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
  },
  getCurrentDirectory: () => APP,
  getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
  fileExists: (file) => texts.has(file) || ts.sys.fileExists(file),
  readFile: (file) => texts.get(file)?.text ?? ts.sys.readFile(file),
  readDirectory: ts.sys.readDirectory,
  directoryExists: ts.sys.directoryExists,
  getDirectories: ts.sys.getDirectories,
}
const service = ts.createLanguageService(host)

const placeOf = ({ file, start }: ts.Diagnostic, asked: string): string => {
  if (file === undefined || start === undefined) return path.basename(asked)
  const { line } = file.getLineAndCharacterOfPosition(start)
  return `${path.relative(flowsDir, file.fileName)}:${line + 1}`
}

process.on('message', (body) => {
  const { id, file, source } = Question.parse(body)
  // Only the file that is asked for is a root: another one with an error is not its affair.
  texts.clear()
  texts.set(file, { text: source, version: id })
  const found = [...service.getSyntacticDiagnostics(file), ...service.getSemanticDiagnostics(file)]
  const problems = found
    .filter(({ category }) => category === ts.DiagnosticCategory.Error)
    .slice(0, MOST)
    .map((each) => ({ message: ts.flattenDiagnosticMessageText(each.messageText, ' '), place: placeOf(each, file) }))
  process.send?.({ id, problems })
})
process.on('disconnect', () => process.exit(0))
