/** How requests to the server fail. */

/** The server is busy. It can be asked again after some seconds. */
export class BusyError extends Error {
  /** @param {number} seconds */
  constructor(seconds) {
    super("busy");
    this.seconds = seconds;
  }
}

/** The server rejects the request. The message says why; asking again soon does not help. */
export class RejectedError extends Error {}
