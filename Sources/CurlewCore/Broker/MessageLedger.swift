/// Counts the bytes of the messages that a broker holds: each message once, however many sessions share it.
///
/// A message reports to it when it is made, and when the last session or table that shared it has let it go; from any thread.
package protocol MessageLedger: AnyObject, Sendable {
    /// A message of that many bytes has been made.
    func added(_ byteCount: Int)
    /// Nobody holds a message of that many bytes any more.
    func removed(_ byteCount: Int)
}
