// What a flow may import: '#hub'. Free of node types, so that no flow can reach a process or a network by accident.
export * from './message.ts'
export * from './flow.ts'
export * from './operators.ts'
export * from '../topics/row.ts'
export type {} from '../topics/core.ts'
