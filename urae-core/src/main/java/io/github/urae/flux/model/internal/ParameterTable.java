package io.github.urae.flux.model.internal;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Other names for a network's modules than diffusers', which are the names that this library goes
 * by. One table of them serves every file form that uses the names, and adapters.
 *
 * <p>{@code #} stands for the number of a block, the same in both names.
 *
 * @param name whose names they are, for messages
 * @param entries the modules
 */
public record ParameterTable(String name, List<Entry> entries) {

  private static final String NUMBER = "#";

  /**
   * Rows of an entry's module that are rows of one of diffusers' modules. Where several pieces have
   * the same one, they follow one another there.
   *
   * @param module diffusers' name
   * @param first first share of the entry's rows
   * @param count number of shares
   */
  public record Piece(String module, int first, int count) {}

  /**
   * One module.
   *
   * @param module its name in this table
   * @param parameters diffusers' names of its parameters, by the names in this table: {@code
   *     weight}, {@code bias}
   * @param shares number of equal shares of its rows
   * @param pieces what they are in diffusers; all shares, each once, by diffusers' modules
   * @param optional whether some models do without the module
   */
  public record Entry(
      String module,
      Map<String, String> parameters,
      int shares,
      List<Piece> pieces,
      boolean optional) {

    /** Copies the collections. */
    public Entry {
      parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
      pieces = List.copyOf(pieces);
    }

    /**
     * Tells whether there is one such module in every block.
     *
     * @return whether {@link #in} makes a difference
     */
    public boolean isInBlocks() {
      return module.contains(NUMBER);
    }

    /**
     * Returns what comes before the number of the block.
     *
     * @return for instance {@code "double_blocks."}; the whole name where there is no number
     */
    public String blockPrefix() {
      return isInBlocks() ? module.substring(0, module.indexOf(NUMBER)) : module;
    }

    /**
     * Returns the entry for a block.
     *
     * @param block its number
     * @return the same with the number in its names
     */
    public Entry in(int block) {
      String number = Integer.toString(block);
      return new Entry(
          module.replace(NUMBER, number),
          parameters,
          shares,
          pieces.stream()
              .map(p -> new Piece(p.module().replace(NUMBER, number), p.first(), p.count()))
              .toList(),
          optional);
    }
  }

  /** Copies the collections. */
  public ParameterTable {
    entries = List.copyOf(entries);
  }

  /**
   * Returns the name of a module that is one in diffusers, too.
   *
   * @param diffusers name in diffusers
   * @return name in the table
   * @throws java.util.NoSuchElementException if there is none
   */
  String nameOf(String diffusers) {
    return entries.stream()
        .filter(entry -> entry.shares() == 1 && entry.pieces().get(0).module().equals(diffusers))
        .findFirst()
        .orElseThrow()
        .module();
  }

  /**
   * Returns a linear layer that diffusers has, too.
   *
   * @param module name in the table
   * @param diffusers name in diffusers
   * @return the entry
   */
  static Entry linear(String module, String diffusers) {
    return fused(module, diffusers);
  }

  /**
   * Returns a linear layer that is several of the same size in diffusers.
   *
   * @param module name in the table
   * @param diffusers names in diffusers, in the order of the rows
   * @return the entry
   */
  static Entry fused(String module, String... diffusers) {
    List<Piece> pieces = new ArrayList<>();
    for (String one : diffusers) {
      pieces.add(new Piece(one, pieces.size(), 1));
    }
    return entry(module, pieces.size(), pieces);
  }

  /**
   * Returns a linear layer whose rows are distributed freely.
   *
   * @param module name in the table
   * @param shares number of equal shares of its rows
   * @param pieces what they are in diffusers
   * @return the entry
   */
  static Entry entry(String module, int shares, List<Piece> pieces) {
    Map<String, String> parameters = new LinkedHashMap<>();
    parameters.put("weight", "weight");
    parameters.put("bias", "bias");
    return new Entry(module, parameters, shares, pieces, false);
  }

  /**
   * Returns a normalisation whose one parameter has another name, too.
   *
   * @param module name in the table
   * @param diffusers name in diffusers
   * @return the entry
   */
  static Entry scale(String module, String diffusers) {
    return new Entry(
        module, Map.of("scale", "weight"), 1, List.of(new Piece(diffusers, 0, 1)), false);
  }

  /**
   * Returns the same entry for a module that some models do without.
   *
   * @param entry an entry
   * @return an optional one
   */
  static Entry optional(Entry entry) {
    return new Entry(entry.module(), entry.parameters(), entry.shares(), entry.pieces(), true);
  }

  /**
   * Finds out whether tensors have the names of this table.
   *
   * @param names names of a file's tensors, without what may stand before them
   * @return whether they do
   */
  public boolean names(Collection<String> names) {
    return names.contains(mark());
  }

  /**
   * Returns a name by which a file with the names of this table is known.
   *
   * @return the first parameter of the first block
   */
  public String mark() {
    Entry first = firstInBlocks();
    return first.module() + "." + first.parameters().keySet().iterator().next();
  }

  /**
   * Returns a name by which a file with diffusers' names is known.
   *
   * @return what the {@link #mark} begins with there
   */
  public String diffusersMark() {
    Entry first = firstInBlocks();
    return first.pieces().get(0).module() + "." + first.parameters().values().iterator().next();
  }

  private Entry firstInBlocks() {
    return entries.stream().filter(Entry::isInBlocks).findFirst().orElse(entries.get(0)).in(0);
  }
}
