#if Tools
import ArgumentParser

/// A file descriptor that the parent process has opened, to write to when the command is ready.
struct ReadyDescriptor: CheckedArgument, Equatable {
    static let expectation = "the number of a file descriptor that is open for writing, as in --ready-fd 3 3>file"

    private let number: Int32

    init?(argument: String) {
        guard let number = Int32(argument), number >= 0, Descriptor(number: number).isWritable else { return nil }
        self.number = number
    }

    /// Writes a line and closes the descriptor, unless it is a standard stream.
    func tell() {
        let descriptor = Descriptor(number: self.number)
        // A parent that has closed its end no longer waits.
        try? descriptor.writeAll(Array("ready\n".utf8))
        if self.number > Descriptor.standardError.number { descriptor.closeFile() }
    }
}
#endif
