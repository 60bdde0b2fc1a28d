import CurlewCore
import NIOCore

/// A message of a client, or its will. Its payload is its unique number.
struct Message {
    let publisher: Int
    let topic: Int
    let qos: QoS
    let retain: Bool
    let isWill: Bool
    /// How often the broker had to route it: more than once if its publisher repeated it.
    var routings = 0
    /// The last routing for which the publisher has been told that the broker has the message.
    var promised = 0

    static func payload(_ number: Int) -> ByteBuffer { ByteBuffer(string: String(number)) }

    static let noPayload = ByteBuffer()

    /// The number in a payload; `nil` for the empty payload, which removes a retained message.
    static func number(_ payload: ByteBuffer) -> Int? { Int(String(buffer: payload)) }
}

/// A delivered message: its number and its QoS.
struct Delivered: Hashable {
    let number: Int
    let qos: QoS
}

/// Ends the run: either the broker or the model is wrong.
func violation(_ text: String) -> Never { fatalError(text) }

/// Ends the run if the condition does not hold.
func expect(_ condition: Bool, _ text: @autoclosure () -> String) {
    if !condition { violation(text()) }
}
