/// How long the end of a packet has been awaited whose beginning has come: a peer must not make the other end keep half a packet for ever.
///
/// A packet may take ``patience``, and a second for each 4 KiB that have come: so slow a connection may be. As long as the connection.
package struct PartialPacket: Sendable {
    private let patience: Duration
    /// When the beginning of the packet came; `nil` while none waits for its end.
    private var began: Timestamp?
    private var byteCount = 0

    private static let bytesPerSecond = 4096

    package init(patience: Duration) { self.patience = patience }

    /// What was read has been taken apart into packets.
    ///
    /// - Parameters:
    ///   - waiting: How many bytes wait for the end of their packet.
    ///   - hasNewBeginning: Whether these are the beginning of another packet than before.
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
