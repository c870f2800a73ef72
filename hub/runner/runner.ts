// The runner keeps flows running: in a process of their own, on the logical clock, each with its own bounded edges.
export type FlowStatus = 'starting' | 'running' | 'restarting' | 'quarantined' | 'failed to load'

export interface FlowView {
  id: string
  status: FlowStatus
  /** First comment line of its file: what it does in one sentence. */
  about: string
  /** Topics it reads and, as far as seen, writes. */
  inputs: string[]
  outputs: string[]
  in: number
  out: number
  dropped: number
  restarts: number
  /** Of the file's content. */
  version: string
  startedAt?: string
  error?: { message: string; stack?: string; at: string }
}

export interface Runner {
  flows(): FlowView[]
  /** Lets a quarantined flow run again. */
  release(id: string): Promise<void>
  close(): Promise<void>
}
