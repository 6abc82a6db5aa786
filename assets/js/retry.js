/** Milliseconds until something that failed is tried again. */
const RETRY_AFTER = 2000;

/**
 * Tries until it succeeds.
 *
 * @template Result
 * @param {() => Promise<Result>} act
 * @returns {Promise<Result>}
 */
export async function retry(act) {
  for (;;) {
    try {
      return await act();
    } catch {
      await new Promise((done) => setTimeout(done, RETRY_AFTER));
    }
  }
}
