/** Milliseconds until something that failed is tried again: at first, and at most. */
const [FIRST_WAIT, LONGEST_WAIT] = [2000, 30_000];

/**
 * Tries until it succeeds. The waits get longer and longer.
 *
 * @template Result
 * @param {() => Promise<Result>} act
 * @returns {Promise<Result>}
 */
export async function retry(act) {
  for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      return await act();
    } catch {
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}
