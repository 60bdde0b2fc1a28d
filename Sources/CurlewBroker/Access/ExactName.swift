/// A user name or another text that is compared byte by byte.
///
/// `String` takes `é` in one scalar and `é` in two for the same: two users whom MQTT tells apart would share rules and passwords.
struct ExactName: Hashable, Sendable {
    let string: String

    init(_ string: String) { self.string = string }

    static func == (left: Self, right: Self) -> Bool { left.string.utf8.elementsEqual(right.string.utf8) }

    func hash(into hasher: inout Hasher) {
        let hashed: Void? = self.string.utf8.withContiguousStorageIfAvailable { bytes in
            hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
        }
        // Only strings bridged from Objective-C are not contiguous; a hash must not depend on that.
        if hashed == nil { Array(self.string.utf8).withUnsafeBytes { hasher.combine(bytes: $0) } }
    }
}
