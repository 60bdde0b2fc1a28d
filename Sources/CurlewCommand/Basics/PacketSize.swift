#if Tools
/// Sizes that follow from the MQTT packet format (MQTT 5.0, section 2.1.4).
enum PacketSize {
    /// The largest number that a remaining length of four bytes can express.
    static let largestRemainingLength = 268_435_455
    /// The largest packet: one byte, four bytes of remaining length, and the rest.
    static let largest = largestRemainingLength + 5
}
#endif
