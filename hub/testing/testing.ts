// '#hub/testing': what tests of flows and plugins may use.
export * from './play.ts'
