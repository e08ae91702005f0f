/**
 * What the requests in flight may hold in memory. The number of requests says little about it: a get
 * is fifty bytes, and what it reads may be eight million. Past the budget new requests are refused as
 * overloaded, which the client library answers by asking again a little later.
 */
export class Budget {
  private readonly bytesMax: number
  private bytes = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get isSpent(): boolean {
    return this.bytes >= this.bytesMax
  }

  take(bytes: number): void {
    this.bytes += bytes
  }

  giveBack(bytes: number): void {
    this.bytes -= bytes
  }
}
