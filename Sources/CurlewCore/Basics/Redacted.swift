/// A secret: usable, but never printed, not even by `dump`, a debugger's summary or the description of what contains
/// it.
package struct Redacted<Value: Sendable>: Sendable {
    package var value: Value

    package init(_ value: Value) { self.value = value }
}

extension Redacted: Equatable where Value: Equatable {}
extension Redacted: Hashable where Value: Hashable {}

extension Redacted: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "<redacted>" }
    package var debugDescription: String { self.description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension Redacted: ExpressibleByArrayLiteral where Value == [UInt8] {
    package init(arrayLiteral bytes: UInt8...) { self.init(bytes) }
}
