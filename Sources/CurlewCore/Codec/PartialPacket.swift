/// Limits how long a peer may take to send the rest of a packet that it has begun: it must not make the other end
/// keep half a packet for ever.
///
/// A packet may take ``patience``, and one second for each 4 KiB received, which permits slow connections. Lives as
/// long as the connection.
package struct PartialPacket: Sendable {
    private let patience: Duration
    /// When the packet began; `nil` while none is incomplete.
    private var began: Timestamp?
    private var byteCount = 0

    private static let bytesPerSecond = 4096

    package init(patience: Duration) { self.patience = patience }

    /// The bytes of a read have been decoded.
    ///
    /// - Parameters:
    ///   - waiting: The number of bytes of an incomplete packet.
    ///   - hasNewBeginning: Whether they belong to another packet than before.
    package mutating func received(waiting: Int, hasNewBeginning: Bool, now: Timestamp) {
        self.byteCount = waiting
        if waiting == 0 {
            self.began = nil
        } else if hasNewBeginning || self.began == nil {
            self.began = now
        }
    }

    /// Whether the packet has taken too long.
    ///
    /// - Parameter rested: Until when the peer was not read.
    package func isOverdue(now: Timestamp, rested: Timestamp) -> Bool {
        guard let began else { return false }
        return now - max(began, rested) > self.patience + .seconds(self.byteCount / Self.bytesPerSecond)
    }
}
