/// Counts the bytes of the messages that a broker holds: each message once, regardless of how many sessions share it.
///
/// A message reports to it when it is created, and when the last session or table that shared it has released it; from
/// any thread.
package protocol MessageLedger: AnyObject, Sendable {
    /// A message of that many bytes was created.
    func added(_ byteCount: Int)
    /// A message of that many bytes was released.
    func removed(_ byteCount: Int)
}
