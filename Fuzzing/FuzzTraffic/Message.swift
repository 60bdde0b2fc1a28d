import CurlewCore
import NIOCore

/// A message that a client publishes, or its will. Its payload is its number, which no other one has.
struct Message {
    let publisher: Int
    let topic: Int
    let qos: QoS
    let retain: Bool
    let isWill: Bool
    /// How often the broker has had to route it: more than once if its publisher has repeated it.
    var routings = 0
    /// Up to which routing its publisher was told that the broker has it.
    var promised = 0

    static func payload(_ number: Int) -> ByteBuffer { ByteBuffer(string: String(number)) }

    static let noPayload = ByteBuffer()

    /// The number in a payload; `nil` in the empty one, which removes a retained message.
    static func number(_ payload: ByteBuffer) -> Int? { Int(String(buffer: payload)) }
}

/// A message as it is delivered: its number, and at which QoS.
struct Delivered: Hashable {
    let number: Int
    let qos: QoS
}

/// Ends the run: the broker is wrong, or the model is.
func violation(_ text: String) -> Never { fatalError(text) }

/// Ends the run unless that is so.
func expect(_ condition: Bool, _ text: @autoclosure () -> String) {
    if !condition { violation(text()) }
}
