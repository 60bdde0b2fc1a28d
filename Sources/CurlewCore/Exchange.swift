/// Puts a value in the place of another and returns the other.
package func exchange<Value>(_ place: inout Value, with value: consuming Value) -> Value {
    swap(&place, &value)
    return value
}
