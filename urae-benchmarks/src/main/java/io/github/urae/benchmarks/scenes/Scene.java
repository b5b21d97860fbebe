package io.github.urae.benchmarks.scenes;

import java.util.Map;
import java.util.OptionalDouble;
import java.util.Random;

/**
 * What a picture shows. Positions run from 0 to 1, to the right and downwards, so that a scene can
 * be painted at any size.
 *
 * @param land what lies below the sky
 * @param hour the light
 * @param season colours of land and leaves; summer at sea and in the desert
 * @param seed of everything that the description leaves open
 * @param peaks whether mountains stand behind
 * @param snow whether they are white
 * @param forest whether there are pines
 * @param body what shines in the sky
 * @param bodyX where it stands
 * @param bodyY how low it stands
 * @param clouds how many
 * @param birds whether they fly
 * @param aurora whether it glows; at night only
 * @param things what stands in the land, and where
 */
record Scene(
    Land land,
    Hour hour,
    Season season,
    long seed,
    boolean peaks,
    boolean snow,
    boolean forest,
    Body body,
    double bodyX,
    double bodyY,
    Clouds clouds,
    boolean birds,
    boolean aurora,
    Map<Thing, Double> things) {

  enum Land {
    HILLS,
    MOUNTAINS,
    LAKE,
    SEA,
    DESERT
  }

  enum Hour {
    NOON,
    DAWN,
    SUNSET,
    NIGHT;

    /** Tells whether lamps are lit. */
    boolean isDark() {
      return this == SUNSET || this == NIGHT;
    }
  }

  enum Season {
    SPRING,
    SUMMER,
    AUTUMN,
    WINTER
  }

  enum Body {
    NONE,
    SUN,
    FULL_MOON,
    CRESCENT_MOON
  }

  enum Clouds {
    NONE,
    FEW,
    MANY
  }

  enum Thing {
    TREE,
    HOUSE,
    BOAT,
    LIGHTHOUSE
  }

  /** Returns where a thing stands, if it is there. */
  OptionalDouble place(Thing thing) {
    Double x = things.get(thing);
    return x == null ? OptionalDouble.empty() : OptionalDouble.of(x);
  }

  boolean has(Thing thing) {
    return things.containsKey(thing);
  }

  /** Returns 1 where the light comes from the right, else -1. */
  int lightSide() {
    return bodyX > 0.5 ? 1 : -1;
  }

  /** Starts the numbers of one part of the picture, the same at every size. */
  Random random(String part) {
    return new Random(seed * 31 + part.hashCode());
  }
}
