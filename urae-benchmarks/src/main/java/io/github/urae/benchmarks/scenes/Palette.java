package io.github.urae.benchmarks.scenes;

import io.github.urae.benchmarks.scenes.Scene.Hour;
import io.github.urae.benchmarks.scenes.Scene.Season;

/**
 * Colours of an hour and a season: those that the demonstration checkpoint was trained on.
 *
 * @param zenith the sky's colour above
 * @param middle half way down
 * @param low at the horizon
 * @param tint what the light makes of white
 * @param cloud clouds where they are lit
 * @param cloudShade and where they are not
 * @param glow around sun and moon
 * @param water of the deep
 */
record Palette(
    Tone zenith,
    Tone middle,
    Tone low,
    Tone tint,
    Tone cloud,
    Tone cloudShade,
    Tone glow,
    Tone water) {

  static Palette of(Hour hour, Season season) {
    Palette palette = of(hour);
    return season == Season.WINTER ? palette.withTint(onSnow(hour)) : palette;
  }

  private static Palette of(Hour hour) {
    return switch (hour) {
      case NOON ->
          new Palette(
              Tone.of(0.18, 0.44, 0.82),
              Tone.of(0.45, 0.71, 0.94),
              Tone.of(0.89, 0.94, 0.94),
              Tone.of(1, 1, 0.97),
              Tone.of(1, 1, 1),
              Tone.of(0.74, 0.81, 0.9),
              Tone.of(1, 0.97, 0.82),
              Tone.of(0.08, 0.34, 0.52));
      case DAWN ->
          new Palette(
              Tone.of(0.42, 0.54, 0.79),
              Tone.of(0.86, 0.72, 0.8),
              Tone.of(1, 0.86, 0.7),
              Tone.of(0.98, 0.84, 0.84),
              Tone.of(1, 0.93, 0.88),
              Tone.of(0.8, 0.66, 0.76),
              Tone.of(1, 0.86, 0.66),
              Tone.of(0.36, 0.42, 0.6));
      case SUNSET ->
          new Palette(
              Tone.of(0.18, 0.2, 0.45),
              Tone.of(0.87, 0.43, 0.39),
              Tone.of(1, 0.79, 0.41),
              Tone.of(0.8, 0.54, 0.5),
              Tone.of(1, 0.74, 0.5),
              Tone.of(0.56, 0.3, 0.42),
              Tone.of(1, 0.66, 0.3),
              Tone.of(0.2, 0.18, 0.36));
      case NIGHT ->
          new Palette(
              Tone.of(0.04, 0.055, 0.2),
              Tone.of(0.11, 0.165, 0.39),
              Tone.of(0.3, 0.38, 0.6),
              Tone.of(0.32, 0.4, 0.56),
              Tone.of(0.34, 0.41, 0.58),
              Tone.of(0.11, 0.16, 0.29),
              Tone.of(0.55, 0.64, 0.82),
              Tone.of(0.02, 0.06, 0.16));
    };
  }

  private Palette withTint(Tone value) {
    return new Palette(zenith, middle, low, value, cloud, cloudShade, glow, water);
  }

  /** Snow takes the light of the sky. */
  private static Tone onSnow(Hour hour) {
    return switch (hour) {
      case NOON -> Tone.of(0.98, 1, 1.02);
      case DAWN -> Tone.of(0.98, 0.9, 0.93);
      case SUNSET -> Tone.of(0.9, 0.7, 0.72);
      case NIGHT -> Tone.of(0.4, 0.5, 0.7);
    };
  }

  Tone haze() {
    return low.mixed(middle, 0.35);
  }

  /** Returns the ground's colour: 0 is far, 1 half way, 2 near. */
  static Tone ground(Season season, int nearness) {
    Tone[] tones =
        switch (season) {
          case SPRING ->
              new Tone[] {
                Tone.of(0.55, 0.74, 0.4), Tone.of(0.47, 0.72, 0.3), Tone.of(0.38, 0.64, 0.22)
              };
          case SUMMER ->
              new Tone[] {
                Tone.of(0.42, 0.62, 0.38), Tone.of(0.34, 0.57, 0.26), Tone.of(0.24, 0.46, 0.17)
              };
          case AUTUMN ->
              new Tone[] {
                Tone.of(0.82, 0.58, 0.26), Tone.of(0.84, 0.5, 0.17), Tone.of(0.68, 0.35, 0.12)
              };
          case WINTER ->
              new Tone[] {
                Tone.of(0.86, 0.91, 0.97), Tone.of(0.92, 0.95, 0.99), Tone.of(0.96, 0.98, 1)
              };
        };
    return tones[nearness];
  }

  static Tone pines(Season season) {
    return switch (season) {
      case SPRING -> Tone.of(0.12, 0.36, 0.2);
      case SUMMER -> Tone.of(0.09, 0.31, 0.19);
      case AUTUMN -> Tone.of(0.14, 0.31, 0.17);
      case WINTER -> Tone.of(0.22, 0.38, 0.36);
    };
  }

  static Tone leaves(Season season) {
    return switch (season) {
      case SPRING -> Tone.of(0.97, 0.66, 0.76);
      case SUMMER, WINTER -> Tone.of(0.3, 0.56, 0.2);
      case AUTUMN -> Tone.of(0.93, 0.46, 0.1);
    };
  }

  static Tone bushes(Season season) {
    return switch (season) {
      case SPRING -> Tone.of(0.3, 0.54, 0.22);
      case SUMMER -> Tone.of(0.22, 0.44, 0.16);
      case AUTUMN -> Tone.of(0.78, 0.34, 0.1);
      case WINTER -> Tone.of(0.3, 0.42, 0.42);
    };
  }

  static Tone rock(Hour hour) {
    return switch (hour) {
      case NOON -> Tone.of(0.44, 0.48, 0.56);
      case DAWN -> Tone.of(0.46, 0.46, 0.56);
      case SUNSET -> Tone.of(0.52, 0.46, 0.54);
      case NIGHT -> Tone.of(0.52, 0.56, 0.66);
    };
  }

  static Tone sunlitSnow(Hour hour) {
    return switch (hour) {
      case NOON -> Tone.WHITE;
      case DAWN -> Tone.of(1, 0.9, 0.88);
      case SUNSET -> Tone.of(1, 0.78, 0.66);
      case NIGHT -> Tone.of(0.62, 0.7, 0.86);
    };
  }

  static Tone shadedSnow(Hour hour) {
    return switch (hour) {
      case NOON -> Tone.of(0.68, 0.78, 0.92);
      case DAWN -> Tone.of(0.68, 0.66, 0.82);
      case SUNSET -> Tone.of(0.52, 0.42, 0.62);
      case NIGHT -> Tone.of(0.3, 0.39, 0.58);
    };
  }
}
