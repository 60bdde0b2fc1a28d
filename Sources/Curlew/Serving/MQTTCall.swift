import CurlewCore
import CurlewTransport
import NIOCore

/// A call that a handler of ``MQTTClient/serve(_:_:concurrency:onSubscribed:_:)`` answers.
public struct MQTTCall: Sendable {
    /// The name of the method.
    public let method: String
    /// The device that was called.
    public let device: String
    /// The name of the caller; `nil` if the dialect has none, or the caller gave none.
    public let source: String?
    /// The message with the request.
    public let message: MQTTMessage
    /// The time at which the caller gives up, by the client's clock; `nil` if the request does not say so.
    let end: Timestamp?
    /// The place of the parameters.
    let place: MQTTDialect.Place
    /// Whether there are parameters.
    let hasParams: Bool
    let coder: any MQTTPayloadCoder

    /// Decodes the parameters. Missing parameters are `null`, and an empty object if the type needs one.
    ///
    /// - Parameter type: The type of the parameters.
    /// - Throws: ``MQTTError`` with code `decodingFailed`, which the caller gets as bad parameters.
    public func params<Params: Decodable>(as type: Params.Type = Params.self) throws(MQTTError) -> Params {
        do throws(MQTTError) {
            return try CallReader<Params>(self.message, .none, value: self.place).value(self.coder)
        } catch {
            // A call without parameters of a method all of whose parameters are optional.
            if !self.hasParams, let empty = try? MQTTJSONCoder().decode(type, from: ByteBuffer(string: "{}")) {
                return empty
            }
            throw error
        }
    }
}
