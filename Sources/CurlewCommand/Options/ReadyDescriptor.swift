#if Tools
import ArgumentParser

/// An open file of the process that started this one, to be told when the subscriptions are granted.
struct ReadyDescriptor: CheckedArgument, Equatable {
    static let expectation = "the number of a file descriptor that is open for writing, as in --ready-fd 3 3>file"

    private let number: Int32

    init?(argument: String) {
        guard let number = Int32(argument), number >= 0, Descriptor(number: number).isWritable else { return nil }
        self.number = number
    }

    /// Writes a line, and closes the file, unless it is one of the standard ones.
    func tell() {
        let descriptor = Descriptor(number: self.number)
        // Who does not wait any more need not know.
        try? descriptor.writeAll(Array("ready\n".utf8))
        if self.number > Descriptor.standardError.number { descriptor.closeFile() }
    }
}
#endif
