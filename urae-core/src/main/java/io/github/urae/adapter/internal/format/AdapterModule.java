package io.github.urae.adapter.internal.format;

import java.util.List;
import java.util.Optional;

/**
 * The part of an adapter that changes one parameter of one module of the model.
 *
 * @param name the module by the file's own name, without the endings of the keys
 * @param parameter which of the module's parameters
 * @param change what is done to it
 * @param magnitude what the result is then scaled to (DoRA), if anything; never on a replacement
 * @param keys the keys of the file that this was made of; each belongs to one part only
 */
public record AdapterModule(
    String name,
    Parameter parameter,
    Change change,
    Optional<Magnitude> magnitude,
    List<String> keys) {}
