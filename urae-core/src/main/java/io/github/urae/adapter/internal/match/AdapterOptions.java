package io.github.urae.adapter.internal.match;

/**
 * What is let pass when adapters are matched against a model.
 *
 * @param ignoreUnmatched whether keys that change nothing are left out; otherwise they are an error
 * @param allowBareMinorComponents whether minor components may be used without the adapter that
 *     they were trained on
 */
public record AdapterOptions(boolean ignoreUnmatched, boolean allowBareMinorComponents) {

  /** Nothing is let pass. */
  public static final AdapterOptions STRICT = new AdapterOptions(false, false);
}
